// A point in time in the reader's zone. The title says it to the second.

import { html } from "../lib.js";

const DAY_MS = 86_400_000;

const SHORT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const TODAY = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** @param {{ at: number | undefined, none: string, isDay?: boolean }} props `none` stands for a time that is absent or 0 */
export function Time({ at, none, isDay = false }) {
  if (!at) return html`<span class="muted">${none}</span>`;
  const isNear = !isDay && Math.abs(Date.now() - at) < DAY_MS;
  const text = isNear ? `${SHORT.format(at)}, ${TODAY.format(at)}` : SHORT.format(at);
  return html`<time datetime=${new Date(at).toISOString()} title=${EXACT.format(at)}>${text}</time>`;
}
