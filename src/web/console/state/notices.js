// Messages to the user. Errors stay until they are dismissed; a success goes with the page that it belongs to.

import { ApiError } from "../api/client.js";
import { signal } from "../lib.js";

/** @typedef {"error" | "warning" | "success"} Kind */
/** @typedef {{ id: number, kind: Kind, text: string, details: string[], requestId: string, link?: Link }} Notice */
/** @typedef {{ href: string, text: string }} Link */

export const notices = signal(/** @type {Notice[]} */ ([]));

const MAX_NOTICES = 5;

let last = 0;

/** Shows a message. The same message is not shown twice.
 * @param {Kind} kind @param {string} text @param {{ details?: string[], requestId?: string, link?: Link }} [more] */
export function tell(kind, text, { details = [], requestId = "", link } = {}) {
  last += 1;
  const others = notices.value.filter((notice) => notice.text !== text && !(kind === "success" && notice.kind === kind));
  notices.value = [...others, { id: last, kind, text, details, requestId, link }].slice(-MAX_NOTICES);
}

/** Shows a failure, with the id of the request. @param {unknown} cause @param {string} [what] the work that failed */
export function tellFailure(cause, what = "") {
  if (cause instanceof DOMException && cause.name === "AbortError") return;
  const error = cause instanceof ApiError ? cause : null;
  const message = error ? error.message : String(cause);
  const details = error?.errors.map((problem) => problem.message) ?? [];
  tell("error", what ? `${what} ${message}` : message, { details, requestId: error?.requestId });
}

/** @param {number} id */
export function dismiss(id) {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

/** Removes all messages. */
export function clear() {
  notices.value = [];
}

/** Removes the messages that belong to the page that is left. */
export function clearPassing() {
  notices.value = notices.value.filter((notice) => notice.kind !== "success");
}
