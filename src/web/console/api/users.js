// Operations about accounts, their sessions, access tokens and roles.

import { call } from "./client.js";

/**
 * An account, as far as the caller may see it. Times are Unix milliseconds.
 * @typedef {object} Account
 * @property {string} id
 * @property {string} username
 * @property {string} email
 * @property {boolean} [email_verified]
 * @property {string} nickname
 * @property {string} first_name
 * @property {string} last_name
 * @property {string} position
 * @property {string} roles names, separated by spaces
 * @property {string} auth_service
 * @property {number} [create_at]
 * @property {number} delete_at
 * @property {number} [last_password_update]
 * @property {number} [failed_attempts]
 * @property {boolean} [mfa_active]
 * @property {number} [last_login] only in a report
 * @property {number} [last_status_at] only in a report
 * @property {number} [channel_count] only in a report
 */

/**
 * @typedef {object} Session
 * @property {string} id
 * @property {number} create_at
 * @property {number} expires_at 0 means never
 * @property {number} last_activity_at
 * @property {string} device_id
 * @property {boolean} is_oauth
 * @property {Record<string, string>} props
 */

/** @typedef {{ id: string, description: string, is_active: boolean }} AccessToken */

/**
 * @typedef {object} Role
 * @property {string} id
 * @property {string} name
 * @property {string[]} permissions
 * @property {boolean} built_in
 * @property {number} update_at
 * @property {number} delete_at
 */

/** @typedef {Record<string, string | number | boolean | undefined>} Query */

/** The largest number of tokens in a response. */
export const TOKENS_PER_PAGE = 100;

/** Returns a page of the report of accounts. @param {Query} query @returns {Promise<Account[]>} */
export function report(query) {
  return call("GET", "reports/users", { query });
}

/** Returns the number of accounts in a report. @param {Query} query @returns {Promise<number>} */
export function countReport(query) {
  return call("GET", "reports/users/count", { query });
}

/** @param {string} id @returns {Promise<Account>} */
export function show(id) {
  return call("GET", `users/${id}`);
}

/** @param {Record<string, any>} profile @returns {Promise<Account>} */
export function create(profile) {
  return call("POST", "users", { body: profile });
}

/** @param {string} id @param {boolean} active */
export function setActive(id, active) {
  return call("PUT", `users/${id}/active`, { body: { active } });
}

/** @param {string} id @param {string} roles names, separated by spaces @param {string} before those that are replaced */
export function setRoles(id, roles, before) {
  return call("PUT", `users/${id}/roles`, { body: { roles, roles_before: before } });
}

/** @param {string} id @param {string} password @param {string} current the current one, only for the caller's account */
export function setPassword(id, password, current) {
  const own = current ? { current_password: current } : {};
  return call("PUT", `users/${id}/password`, { body: { new_password: password, ...own } });
}

/** Sends a mail with a link for a new password. @param {string} email */
export function sendReset(email) {
  return call("POST", "users/password/reset/send", { body: { email } });
}

/** Requires no one-time codes any more. @param {string} id */
export function removeCodes(id) {
  return call("PUT", `users/${id}/mfa`, { body: { activate: false } });
}

/** Marks the address as verified. @param {string} id */
export function verifyEmail(id) {
  return call("POST", `users/${id}/email/verify/member`);
}

/** Unlocks an account after too many failed logins. @param {string} id */
export function resetAttempts(id) {
  return call("POST", `users/${id}/reset_failed_attempts`);
}

/** @param {string} id @returns {Promise<Session[]>} */
export function sessions(id) {
  return call("GET", `users/${id}/sessions`);
}

/** @param {string} id @param {string} session */
export function revokeSession(id, session) {
  return call("POST", `users/${id}/sessions/revoke`, { body: { session_id: session } });
}

/** @param {string} id */
export function revokeSessions(id) {
  return call("POST", `users/${id}/sessions/revoke/all`);
}

/** @param {string} id @param {number} page @returns {Promise<AccessToken[]>} */
export function tokens(id, page) {
  return call("GET", `users/${id}/tokens`, { query: { page, per_page: TOKENS_PER_PAGE } });
}

/** Creates an access token. Only this response has its text.
 * @param {string} id @param {string} description @returns {Promise<AccessToken & { token: string }>} */
export function createToken(id, description) {
  return call("POST", `users/${id}/tokens`, { body: { description } });
}

/** Makes a member of a guest, or a guest of a member. @param {"promote" | "demote"} verb @param {string} id */
export function changeKind(verb, id) {
  return call("POST", `users/${id}/${verb}`);
}

/** Deletes, disables or enables an access token. @param {"revoke" | "disable" | "enable"} verb @param {string} token */
export function changeToken(verb, token) {
  return call("POST", `users/tokens/${verb}`, { body: { token_id: token } });
}

/** @returns {Promise<Role[]>} */
export function roles() {
  return call("GET", "roles");
}

/** @param {string[]} names @returns {Promise<Role[]>} */
export function rolesNamed(names) {
  return call("POST", "roles/names", { body: names });
}

/** @param {string} id @returns {Promise<Role>} */
export function role(id) {
  return call("GET", `roles/${id}`);
}

/** Replaces the permissions of a role. @param {string} id @param {string[]} permissions @returns {Promise<Role>} */
export function patchRole(id, permissions) {
  return call("PUT", `roles/${id}/patch`, { body: { permissions } });
}
