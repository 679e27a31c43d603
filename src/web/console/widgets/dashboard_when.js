// A point in time in the reader's zone, with the exact one in its title.

import { html } from "../lib.js";

const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** @param {{ at: number, isDay?: boolean }} props `at` is in Unix milliseconds */
export function When({ at, isDay = false }) {
  const exact = new Date(at).toISOString();
  return html`<time dateTime=${exact} title=${exact}>${(isDay ? DAY : TIME).format(at)}</time>`;
}
