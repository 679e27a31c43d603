// Times of the log and of the audit trail: as the server writes them, as a person reads them, and ranges of them.

/** The ranges that can be chosen, in milliseconds back from now. */
const SPANS = /** @type {Record<string, number>} */ ({
  "15m": 900_000, "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000,
});

/** The keys of the ranges that can be chosen; `any` has no bounds, `between` has two that are entered. */
export const SPAN_KEYS = ["any", ...Object.keys(SPANS), "between"];

/** A range of time. Bounds are texts of inputs, and count only for `between`.
 * @typedef {{ span: string, from: string, to: string }} Range */

/** Returns the bounds of a range in Unix milliseconds; `null` for an open one.
 * @param {Range} range @param {number} now */
export function boundsOf({ span, from, to }, now) {
  if (span === "between") return { from: entered(from), to: entered(to) };
  return { from: SPANS[span] ? now - SPANS[span] : null, to: null };
}

/** Returns the time of a line of the log in Unix milliseconds; 0 for a line without one.
 * @param {unknown} text such as `2026-01-31 23:59:59.999 Z` */
export function timeOf(text) {
  const [day, time, zone] = String(text).split(" ");
  return Date.parse(`${day}T${time}${zone}`) || 0;
}

/** Returns a time as the server takes it in a filter. @param {number} at */
export function asServerTime(at) {
  return new Date(at).toISOString().replace("T", " ").replace("Z", " +00:00");
}

const clock = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = /** @type {const} */ ({ month: "short", day: "numeric" });
const thisYear = new Intl.DateTimeFormat(undefined, { ...day, ...clock, fractionalSecondDigits: 3 });
const anyYear = new Intl.DateTimeFormat(undefined, { ...day, ...clock, year: "numeric" });

/** Returns a time in the reader's zone. @param {number} at */
export function localTime(at) {
  if (!at) return "";
  const isThisYear = new Date(at).getFullYear() === new Date().getFullYear();
  return (isThisYear ? thisYear : anyYear).format(at);
}

/** Returns a time exactly, in UTC. @param {number} at */
export function exactTime(at) {
  return at ? new Date(at).toISOString() : "";
}

/** @param {string} text the value of an input of the type `datetime-local` */
function entered(text) {
  const at = text ? new Date(text).getTime() : NaN;
  return Number.isNaN(at) ? null : at;
}
