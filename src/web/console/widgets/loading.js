// The sign that something is being loaded, which appears only after a moment, and a button in its place after a failure.

import { html } from "../lib.js";
import { TEXTS } from "../texts.js";

/** @param {{ text?: string }} props */
export function Loading({ text = TEXTS.loading }) {
  return html`<p class="loading" role="status"><span class="spinner" aria-hidden="true"></span>${text}</p>`;
}

/** Stands for what is on its way; after a failure, which a message tells, it offers to try again.
 * @param {{ hasFailed: boolean, again: () => void }} props */
export function Awaited({ hasFailed, again }) {
  if (!hasFailed) return html`<${Loading} />`;
  return html`<p class="awaited"><button type="button" class="button is-small" data-testid="again" onClick=${again}>${TEXTS.retry}</button></p>`;
}
