// Operations about the versions of the configuration.

import { call, send } from "./client.js";

/**
 * A changed setting. Secrets are fingerprints.
 * @typedef {{ path: string, before: any, after: any }} Change
 */

/**
 * The confirmation that a version waits for.
 * @typedef {object} Confirmation
 * @property {string} user_id the user who may confirm it; empty for an operator of the machine
 * @property {number} within the time for it, in seconds
 * @property {number} until the time at which the change is taken back, in Unix milliseconds; 0 before a start
 * @property {"in_force" | "before_start" | "started"} stage
 */

/**
 * The record of a version.
 * @typedef {object} Version
 * @property {string} id
 * @property {number} create_at in Unix milliseconds
 * @property {string} user_id
 * @property {string} ip_address
 * @property {string} source
 * @property {string} comment
 * @property {boolean} is_active
 * @property {Change[] | null} changes null if they are unknown
 * @property {Confirmation} [confirmation]
 */

/** Returns a page of the versions, the newest first, and the time of the server in Unix milliseconds.
 * @param {number} page @param {number} perPage
 * @returns {Promise<{ records: Version[], now: number }>} */
export async function versions(page, perPage) {
  const response = await send("GET", "config/versions", { query: { page, per_page: perPage } });
  const now = Date.parse(response.headers.get("Date") ?? "") || Date.now();
  return { records: await response.json(), now };
}

/** Returns the changes from one version to another.
 * @param {string} before @param {string} after
 * @returns {Promise<Change[]>} */
export function difference(before, after) {
  return call("GET", `config/versions/${before}/difference/${after}`);
}

/** Puts an earlier version in force again, as a new version, if `current` is still in force.
 * @param {string} id @param {string} current @param {string} comment @param {number} [confirmWithin] in seconds */
export async function rollBack(id, current, comment, confirmWithin) {
  const query = { comment: comment || undefined, confirm_within: confirmWithin };
  await send("POST", `config/versions/${id}/rollback`, { query, headers: { "If-Match": `"${current}"` } });
}

/** Confirms the change that made a version. The answer says if a part of it still waits for a start.
 * @param {string} id
 * @returns {Promise<Version>} */
export function confirm(id) {
  return call("POST", `config/versions/${id}/confirm`);
}

/** Takes the change that made a version back before the time for its confirmation is over. @param {string} id */
export async function takeBack(id) {
  await send("DELETE", `config/versions/${id}/confirm`);
}

/** Returns the accounts with these ids.
 * @param {string[]} ids
 * @returns {Promise<{ id: string, username: string }[]>} */
export function accounts(ids) {
  return call("POST", "users/ids", { body: ids });
}
