// The frame of every page: its heading, what it is about, and its buttons.

import { html, useEffect, useRef } from "../lib.js";
import { TEXTS } from "../texts.js";

/**
 * @param {{ title: string, category?: string, lead?: any, actions?: any, children?: any }} props
 */
export function PageFrame({ title, category = "", lead = null, actions = null, children }) {
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const frame = document.getElementById("page");
    if (frame && !location.hash) frame.scrollTop = 0;
  }, []);
  useEffect(() => {
    document.title = `${title} · ${TEXTS.product}`;
    const isFree = document.activeElement === document.body || document.activeElement?.matches(".sidebar a");
    if (isFree && !location.hash) heading.current?.focus({ preventScroll: true });
  }, [title]);
  return html`
    <div class="page">
      <header class="page-head">
        <div>
          ${category && html`<p class="page-category">${category}</p>`}
          <h1 ref=${heading} tabindex="-1">${title}</h1>
          ${lead && html`<p class="page-lead">${lead}</p>`}
        </div>
        ${actions && html`<div class="page-actions">${actions}</div>`}
      </header>
      ${children}
    </div>`;
}
