// The sign that something is being loaded. It appears only after a moment.

import { html } from "../lib.js";
import { TEXTS } from "../texts.js";

/** @param {{ text?: string }} props */
export function Loading({ text = TEXTS.loading }) {
  return html`<p class="loading" role="status"><span class="spinner" aria-hidden="true"></span>${text}</p>`;
}
