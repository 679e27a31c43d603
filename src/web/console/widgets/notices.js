// The messages at the top of the page.

import { html } from "../lib.js";
import { dismiss, notices } from "../state/notices.js";
import { TEXTS } from "../texts.js";
import { Icon } from "./icon.js";

const ICONS = /** @type {const} */ ({ error: "error", warning: "warning", success: "check" });

export function Notices() {
  return html`<div class="notices" role="region" aria-label="Messages" aria-live="polite">
    ${notices.value.map((notice) => html`<${NoticeBox} key=${notice.id} notice=${notice} />`)}
  </div>`;
}

/** @param {{ notice: import("../state/notices.js").Notice }} props */
function NoticeBox({ notice }) {
  const { id, kind, text, details, requestId, link } = notice;
  return html`
    <div class="notice is-${kind}" data-testid=${kind === "error" ? "errorMessage" : "notice"}>
      <${Icon} name=${ICONS[kind]} />
      <div class="notice-text">
        <p>${text}${link && html` <a href=${link.href}>${link.text}</a>`}</p>
        ${details.length > 0 && html`<ul>${details.map((detail) => html`<li>${detail}</li>`)}</ul>`}
        ${requestId && html`<p class="notice-request">${TEXTS.request} <code>${requestId}</code></p>`}
      </div>
      <button type="button" class="button is-quiet is-icon" onClick=${() => dismiss(id)} aria-label=${TEXTS.dismiss}>
        <${Icon} name="close" />
      </button>
    </div>`;
}
