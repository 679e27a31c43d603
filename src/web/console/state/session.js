// The caller, their permissions, and the session.

import { ApiError, hasSession, renewSessionsWith } from "../api/client.js";
import { description } from "../api/config.js";
import * as api from "../api/session.js";
import { batch, signal } from "../lib.js";
import { discard, forget, load } from "./edits.js";
import { clear, tellFailure } from "./notices.js";
import { SETUP } from "./place.js";
import { loggedIn } from "./reauthentication.js";
import { setDescription } from "./schema.js";

/** @typedef {"starting" | "setup" | "anonymous" | "refused" | "failed" | "ready"} Phase */

/** The state of the console as a whole. @type {import("../lib.js").Signal<Phase>} */
export const phase = signal(/** @type {Phase} */ ("starting"));

/** The caller. @type {import("../lib.js").Signal<api.User | null>} */
export const user = signal(/** @type {api.User | null} */ (null));

/** The failure that stopped the start. @type {import("../lib.js").Signal<ApiError | null>} */
export const failure = signal(/** @type {ApiError | null} */ (null));

/** The message on the page of the login. */
export const loginNote = signal("");

/** True while a session that ended waits for a new login. */
export const isExpired = signal(false);

/** Returns true while a person may look at the page: only then does it read again by itself. */
export const isWatched = () => document.visibilityState === "visible" && !isExpired.value;

/** The state without a session. @type {Phase} */
const OUTSIDE = SETUP ? "setup" : "anonymous";

const permissions = signal(/** @type {Set<string>} */ (new Set()));

/** @type {((isRenewed: boolean) => void)[]} */
let waiting = [];

/** Returns true if the caller has a permission, such as `manage_system`. @param {string} permission */
export function may(permission) {
  return permissions.value.has(permission);
}

/** Looks for a session, and asks for a login without one. */
export async function start() {
  renewSessionsWith(renewed);
  if (!hasSession()) {
    phase.value = OUTSIDE;
    return;
  }
  try {
    const described = description();
    // Its failure is looked at once the caller is known.
    described.catch(() => {});
    await enter(await api.me(), described);
  } catch (cause) {
    fail(cause);
  }
}

/** Opens a session, and the console with it.
 * @param {string} name @param {string} password @param {string} code */
export async function login(name, password, code) {
  const account = await api.login(name, password, code);
  if (!isExpired.value) return enter(account);
  if (account.id !== user.value?.id) {
    location.reload();
    return;
  }
  settle(true);
  loggedIn();
}

/** Shows the login, with a message. @param {string} note */
export function toLogin(note) {
  batch(() => {
    loginNote.value = note;
    phase.value = "anonymous";
  });
}

/** Ends the session. */
export async function logout() {
  const before = phase.value;
  // The socket closes with the session, which is no reason to ask for a login.
  phase.value = "starting";
  try {
    await api.logout();
    location.reload();
  } catch (cause) {
    phase.value = before;
    tellFailure(cause);
  }
}

/** Gives up the login that a session which ended waits for. */
export function leaveExpired() {
  settle(false);
  location.reload();
}

/** @param {api.User} account @param {ReturnType<typeof description>} [describing] the description, if it is on its way */
async function enter(account, describing = description()) {
  try {
    const [described, roles] = await Promise.all([describing, api.rolesNamed(account.roles.split(" "))]);
    // Every page shows the state of the stores, which comes with it.
    load().catch(tellFailure);
    batch(() => {
      user.value = account;
      permissions.value = new Set(roles.flatMap((role) => role.permissions));
      setDescription(described);
      phase.value = "ready";
    });
  } catch (cause) {
    user.value = account;
    fail(cause);
  }
}

/** Takes the rights that the caller has now. What may not be seen any more goes.
 * @param {api.User} account @param {{ permissions: string[] }[]} roles @param {Awaited<ReturnType<typeof description>>} described */
export function takeRights(account, roles, described) {
  const all = new Set(roles.flatMap((role) => role.permissions));
  const isSame = all.size === permissions.value.size && [...all].every(may);
  if (account.id !== user.value?.id || isSame) return;
  batch(() => {
    user.value = account;
    permissions.value = all;
    setDescription(described);
  });
  load(true).catch(tellFailure);
}

/** Leaves the console, because the caller may not see it any more. Nothing of it stays on the screen. */
export function leaveConsole() {
  batch(() => {
    phase.value = "refused";
    isExpired.value = false;
    permissions.value = new Set();
    discard();
    forget();
    clear();
    setDescription({ pages: [], settings: [] });
  });
}

/** @param {unknown} cause */
function fail(cause) {
  const error = ApiError.of(cause);
  const phases = /** @type {Record<number, Phase>} */ ({ 401: OUTSIDE, 403: "refused" });
  failure.value = error;
  phase.value = phases[error.status] ?? "failed";
}

/** Waits for a new login after the end of the session. */
function renewed() {
  if (phase.value !== "ready") {
    phase.value = "anonymous";
    return Promise.resolve(false);
  }
  isExpired.value = true;
  return new Promise((resolve) => waiting.push(resolve));
}

/** @param {boolean} isRenewed */
function settle(isRenewed) {
  const all = waiting;
  waiting = [];
  isExpired.value = false;
  all.forEach((resolve) => resolve(isRenewed));
}
