// Operations about the caller's session.

import { call } from "./client.js";

/**
 * @typedef {object} User
 * @property {string} id
 * @property {string} username
 * @property {string} email
 * @property {string} roles
 */

/** Opens a session whose critical actions need a recent login.
 * @param {string} name @param {string} password @param {string} code
 * @returns {Promise<User>} */
export function login(name, password, code) {
  const body = { login_id: name, password, token: code, require_reauthentication: true };
  return call("POST", "users/login", { body, isLogin: true });
}

/** Proves the identity of the caller again. @param {string} password @param {string} code */
export function reauthenticate(password, code) {
  return call("POST", "users/sessions/reauthenticate", { body: { password, token: code }, isLogin: true });
}

/** Creates the first account, with the code that the start of the server printed if the caller needs one.
 * @param {{ email: string, username: string, password: string }} profile @param {string} code
 * @returns {Promise<User>} */
export function createFirst(profile, code) {
  const headers = /** @type {Record<string, string>} */ (code ? { "X-Quarterdeck-Setup-Code": code } : {});
  return call("POST", "users", { body: profile, headers, isLogin: true });
}

/** Ends the session. */
export function logout() {
  return call("POST", "users/logout", { isLogin: true });
}

/** Returns the caller's account.
 * @returns {Promise<User>} */
export function me() {
  return call("GET", "users/me", { isLogin: true });
}

/** Returns the caller's account, after a new login if the session has ended.
 * @returns {Promise<User>} */
export function meAgain() {
  return call("GET", "users/me");
}

/** Returns the permissions of roles.
 * @param {string[]} names
 * @returns {Promise<{ name: string, permissions: string[] }[]>} */
export function rolesNamed(names) {
  return call("POST", "roles/names", { body: names, isLogin: true });
}
