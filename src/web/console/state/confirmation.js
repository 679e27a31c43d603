// The change that the server takes back unless it is confirmed, and the choice to make the next one such a change.

import * as api from "../api/history.js";
import { batch, effect, signal } from "../lib.js";
import { CONFIRM as T } from "../pages/history_texts.js";
import { edits, isChanged, load, version } from "./edits.js";
import { canLockOut } from "./lockout.js";
import { clearPassing, tell, tellFailure } from "./notices.js";
import { learnNames } from "./people.js";
import { linkTo } from "./router.js";
import { may, user } from "./session.js";

/** The times for a confirmation that are offered, in seconds. */
export const TIMES_S = [60, 300, 900, 3600];

/** The newest versions among which the one that waits is looked for. */
const RECENT = 30;

/** The time for which a page that is opened still says that a change was taken back, in milliseconds. */
const NEWS_MS = 3_600_000;

/** The largest difference of two clocks that agree, in milliseconds. The header `Date` has whole seconds. */
const ROUNDING_MS = 2000;

/** The id of the error for a second change that wants a confirmation. */
const OTHER_WAITS = "app.config.confirmation.pending.app_error";

/** The sources of the versions that take a change back: at the end of its time, and by a user before. */
const TAKEN_BACK = ["unconfirmed", "taken_back"];

/** The page with the versions. */
export const HISTORY_PAGE = "reporting/configuration_history";

/**
 * The choice for a change that is about to be made. `isOn` is null until the user chooses.
 * @typedef {{ isOn: import("../lib.js").Signal<boolean | null>, seconds: import("../lib.js").Signal<number> }} Choice
 */

/** @typedef {{ kind: "taken_back", record: api.Version } | { kind: "over" }} Outcome */

/** The version that waits for its confirmation. */
export const waiting = signal(/** @type {api.Version | null} */ (null));

/** The end of the wait, if the change was not confirmed. */
export const outcome = signal(/** @type {Outcome | null} */ (null));

/** The newest versions, the newest first. */
const recent = signal(/** @type {api.Version[]} */ ([]));

/** The id of the newest version that was seen. */
export const newest = signal("");

/** True while a confirmation is on its way. */
export const isConfirming = signal(false);

/** The time by which the server's clock is ahead, in milliseconds; 0 if the two clocks agree but for the rounding of `Date`. */
let ahead = 0;

let isLooking = false;

/** True if the configuration may have changed since the look that is under way. */
let mustLookAgain = false;

/** The outcomes that the user has dismissed, by the version that took the change back. */
const dismissed = /** @type {Set<string>} */ (new Set());

/** @returns {Choice} */
export function newChoice() {
  return { isOn: signal(/** @type {boolean | null} */ (null)), seconds: signal(TIMES_S[0]) };
}

/** The choice for the changes of the page. */
export const saveChoice = newChoice();

// A choice is about the changes for which it was made.
effect(() => {
  if (edits.value.size === 0) saveChoice.isOn.value = null;
});

// Each version of the configuration may be one that waits, or one that took a change back.
effect(() => {
  if (version.value && may("manage_system")) look();
});

/** Returns true if the change of these settings is to be taken back unless it is confirmed.
 * @param {Choice} choice @param {Iterable<string>} paths */
export function isOn(choice, paths) {
  if (waiting.value || !may("manage_system")) return false;
  return choice.isOn.value ?? [...paths].some(canLockOut);
}

/** Returns the time for the confirmation in seconds; `undefined` if the change lasts without one.
 * @param {Choice} choice @param {Iterable<string>} paths */
export function secondsOf(choice, paths) {
  return isOn(choice, paths) ? choice.seconds.value : undefined;
}

/** Returns the seconds that are left for a confirmation; 0 once the time is over. @param {api.Confirmation} confirmation */
export function secondsLeft({ until }) {
  return Math.max(0, Math.ceil((until - Date.now() - ahead) / 1000));
}

/** Looks for a version that waits. A failure is no message: the next look may succeed, and the page goes on counting. */
export async function look() {
  mustLookAgain = isLooking;
  if (isLooking) return;
  isLooking = true;
  try {
    do {
      mustLookAgain = false;
      const { records, now } = await api.versions(0, RECENT);
      ahead = Math.abs(now - Date.now()) > ROUNDING_MS ? now - Date.now() : 0;
      if (!mustLookAgain) seen(records);
    } while (mustLookAgain);
  } catch {
    // The server may be on its way to another address or in a restart.
  } finally {
    isLooking = false;
  }
}

/** @param {api.Version[]} records the newest versions, the newest first */
function seen(records) {
  const before = waiting.value;
  const now = records.find((record) => record.confirmation) ?? null;
  if (now) learnNames([now.confirmation?.user_id ?? ""]);
  else if (before) learnNames(records.filter(({ source }) => source === TAKEN_BACK[1]).map(({ user_id: id }) => id));
  batch(() => {
    waiting.value = now;
    recent.value = records;
    newest.value = records[0]?.id ?? "";
    const end = now ? null : endOf(before, records);
    // A success of the change that was taken back is none any more.
    if (before && end) clearPassing();
    outcome.value = now ? null : end ?? outcome.value;
  });
}

/** Returns the end of a wait; null if the change was confirmed, or if there is nothing to tell.
 * @param {api.Version | null} before the version that waited at the last look @param {api.Version[]} records
 * @returns {Outcome | null} */
function endOf(before, records) {
  const isNews = (/** @type {api.Version} */ record) => record.create_at > Date.now() + ahead - NEWS_MS;
  const isRecent = (/** @type {api.Version} */ record) => (before ? record.comment === before.id : record.is_active && isNews(record));
  const sources = before ? TAKEN_BACK : TAKEN_BACK.slice(0, 1);
  const takenBack = records.find((record) => sources.includes(record.source) && isRecent(record));
  if (takenBack) return dismissed.has(takenBack.id) ? null : { kind: "taken_back", record: takenBack };
  const { until = 0, stage } = before?.confirmation ?? {};
  const isOver = stage && stage !== "before_start" && until <= Date.now() + ahead;
  return isOver && records.some((record) => record.id === before?.id) ? { kind: "over" } : null;
}

/** Returns the fingerprint of a stored secret and the time since when it is stored, if one of the newest versions changed
 * it. @param {string} path */
export function storedSince(path) {
  for (const { changes, create_at: at } of recent.value) {
    const change = changes?.find((one) => one.path === path);
    if (change) return { fingerprint: String(change.after ?? ""), at };
  }
  return null;
}

/** Returns true if the page shows another version than the one in force. */
export function isOutdated() {
  return newest.value !== "" && newest.value !== version.value.replace(/^W\/|"/g, "");
}

/** Returns true if the caller may confirm a version. @param {api.Version} record */
export function isOwn(record) {
  return record.confirmation?.user_id === user.value?.id;
}

/** Confirms the change that waits. */
export async function keep() {
  const record = waiting.value;
  if (!record || isConfirming.value) return;
  isConfirming.value = true;
  try {
    const { confirmation } = await api.confirm(record.id);
    // The next look finds no wait that ended, or the one for the start.
    waiting.value = null;
    tell("success", confirmation ? T.keptInPart : T.kept);
  } catch (cause) {
    tellFailure(cause);
  } finally {
    isConfirming.value = false;
    await look();
  }
}

/** Takes the change that waits back at once. */
export async function takeBack() {
  const record = waiting.value;
  if (!record || isConfirming.value) return;
  isConfirming.value = true;
  try {
    await api.takeBack(record.id);
    waiting.value = null;
    tell("success", T.taken);
    reload();
  } catch (cause) {
    tellFailure(cause);
  } finally {
    isConfirming.value = false;
    await look();
  }
}

/** Loads the values in force into the page, unless it has changes. */
export function reload() {
  if (isChanged.value) return;
  load(true).then(forget, tellFailure);
}

/** Removes the message about a change that was taken back. */
export function forget() {
  if (outcome.value?.kind === "taken_back") dismissed.add(outcome.value.record.id);
  outcome.value = null;
}

/** Explains the refusal of a second change that wants a confirmation. Returns false if the failure is another one.
 * @param {any} cause */
export function explainOther(cause) {
  if (cause?.id !== OTHER_WAITS) return false;
  const link = { href: linkTo(HISTORY_PAGE), text: T.openHistory };
  tell("error", T.otherWaits, { requestId: cause.requestId, link });
  look();
  return true;
}
