// The password that a critical action needs again, once the last login is too long ago.

import { ApiError, reauthenticateWith } from "../api/client.js";
import * as api from "../api/session.js";
import { signal } from "../lib.js";

/** True while an action waits for the password. */
export const isAsked = signal(false);

/** @type {((isProved: boolean) => void)[]} */
let waiting = [];

/** Asks for the password when the server wants it. Actions that are refused at once share one question. */
export function watchRefusals() {
  reauthenticateWith(() => {
    isAsked.value = true;
    return new Promise((resolve) => waiting.push(resolve));
  });
}

/** Sends the password, and goes on with the actions that wait for it.
 * @param {string} _name @param {string} password @param {string} code */
export async function prove(_name, password, code) {
  try {
    await api.reauthenticate(password, code);
  } catch (cause) {
    const hasEnded = cause instanceof ApiError && cause.id === "api.context.session_expired.app_error";
    // The action is sent again, is refused, and asks for a login.
    if (!hasEnded) throw cause;
  }
  settle(true);
}

/** Gives the actions up; the forms stay as they are. */
export function giveUp() {
  settle(false);
}

/** Goes on after a login, which is as good as the password. */
export function loggedIn() {
  settle(true);
}

/** @param {boolean} isProved */
function settle(isProved) {
  const all = waiting;
  waiting = [];
  isAsked.value = false;
  all.forEach((resolve) => resolve(isProved));
}
