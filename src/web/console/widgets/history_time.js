// A time in the reader's zone, with the exact one in a title.

import { html } from "../lib.js";

const SHORT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** Returns a time as text. @param {number} ms in Unix milliseconds */
export function timeText(ms) {
  return SHORT.format(ms);
}

/** @param {{ ms: number }} props the time in Unix milliseconds */
export function Time({ ms }) {
  const exact = new Date(ms).toISOString();
  return html`<time datetime=${exact} title=${exact}>${timeText(ms)}</time>`;
}
