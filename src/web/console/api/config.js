// Operations about the configuration.

import { call, send } from "./client.js";

/**
 * A setting, as the server describes it.
 * @typedef {object} Setting
 * @property {string} path
 * @property {string} page
 * @property {string} label
 * @property {string} help
 * @property {string} [empty]
 * @property {string} [example]
 * @property {string} [mistake]
 * @property {"bool" | "int" | "string" | "string[]" | "object" | "object[]" | "map" | "raw_json"} type
 * @property {boolean} nullable
 * @property {any} default
 * @property {string} [unit]
 * @property {number} [minimum]
 * @property {number} [maximum]
 * @property {string[]} [choices]
 * @property {boolean} secret
 * @property {string[]} [companions]
 * @property {"now" | "reconnect" | "restart"} applies
 * @property {boolean} acted_on
 * @property {{ path: string, value: string }[]} [shown_when]
 * @property {boolean} [can_lock_out]
 * @property {boolean} writable
 * @property {string} [pinned_by]
 */

/** @typedef {{ address: string, category: string, label: string }} MenuPage */

/** Returns the description of the settings that the caller may read.
 * @returns {Promise<{ pages: MenuPage[], settings: Setting[] }>} */
export function description() {
  return call("GET", "config/schema");
}

/** Returns the configuration in force with its version.
 * @returns {Promise<{ document: any, version: string, storage: string }>} */
export async function current() {
  return versioned(await send("GET", "config"));
}

/**
 * Changes settings, if `version` is still in force.
 * @param {any} changes the keys to change @param {string} version @param {string} comment
 * @param {number} [confirmWithin] the seconds after which the server takes the change back unless it is confirmed
 */
export async function patch(changes, version, comment, confirmWithin) {
  const query = { comment: comment || undefined, confirm_within: confirmWithin };
  const response = await send("PUT", "config/patch", { body: changes, query, headers: { "If-Match": version } });
  return { ...(await versioned(response)), warnings: warnings(response) };
}

/** Returns what a change would do, and stores nothing.
 * @param {any} changes
 * @returns {Promise<{ changes: { path: string, before: any, after: any }[] }>} */
export function preview(changes) {
  return call("PUT", "config/patch", { body: changes, query: { dry_run: true } });
}

/** Returns the settings that wait for a restart.
 * @returns {Promise<{ path: string }[]>} */
export function pendingRestart() {
  return call("GET", "config/pending_restart");
}

/** @param {Response} response */
async function versioned(response) {
  const version = response.headers.get("ETag") ?? "";
  const storage = response.headers.get("X-Storage-Settings") ?? "";
  return { document: await response.json(), version, storage };
}

/** The headers with which the server says that a part of a change has no effect. */
const WARNINGS = ["X-Config-Ineffective", "X-Config-Unset", "X-Config-Secrets-Kept", "X-Config-Unknown", "X-Config-Not-Taken-Back"];

/** @param {Response} response */
function warnings(response) {
  return WARNINGS.flatMap((name) => {
    const value = response.headers.get(name);
    return value ? [{ name, value }] : [];
  });
}
