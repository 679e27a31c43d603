// Operations that administrators start by hand.

import { apiUrl, call, send } from "./client.js";

/** Empties every cache. */
export function invalidateCaches() {
  return call("POST", "caches/invalidate");
}

/** Replaces every connection to the database. */
export function recycleConnections() {
  return call("POST", "database/recycle");
}

/** Reads the stored configuration, `config.toml` and the environment again. */
export function reloadConfig() {
  return call("POST", "config/reload");
}

/** Sends the caller a mail with the settings in force. */
export function testMail() {
  return call("POST", "email/test");
}

/** The largest number of devices that a test of push notifications asks the proxy about. */
const MAX_DEVICES = 8;

/** Asks the push proxy if it reaches the devices on which the caller is logged in: `true`, `false` or `unknown` for each.
 * @returns {Promise<string[]>} */
export async function reachedDevices() {
  const sessions = await call("GET", "users/me/sessions");
  const devices = new Set(sessions.map((/** @type {any} */ session) => session.device_id).filter(Boolean));
  const asked = [...devices].slice(0, MAX_DEVICES).map((id) => call("GET", "system/ping", { query: { device_id: id } }));
  return (await Promise.all(asked)).map((answer) => answer.CanReceiveNotifications);
}

/** Sends the caller a message from the system, and with it a push notification. */
export function notifyMe() {
  return call("POST", "notifications/test");
}

/** Tests if a server answers at an address. @param {string} address */
export function testSiteUrl(address) {
  return call("POST", "site_url/test", { body: { site_url: address } });
}

/** Returns the applied migrations of the database schema, the newest first.
 * @returns {Promise<{ version: number, name: string }[]>} */
export function migrations() {
  return call("GET", "system/schema/version");
}

/** Begins to replace the program with the newest release. */
export function beginUpgrade() {
  return call("POST", "upgrade_to_enterprise");
}

/** Returns the progress of the upgrade in percent, and why the last one failed.
 * @returns {Promise<{ percentage: number, error: string | null }>} */
export function upgradeStatus() {
  return call("GET", "upgrade_to_enterprise/status");
}

/**
 * The progress of a restart of servers, one after the other.
 * @typedef {{ state: string, leader: string, servers: { name: string, state: string, reason: string | null }[] }} Restart
 */

/** Returns the progress of the last restart of several servers. @returns {Promise<Restart>} */
export function restartStatus() {
  return call("GET", "restart");
}

/** Restarts the server into the program that an upgrade installed. */
export function restart() {
  return call("POST", "restart");
}

/** The address of the check of the database's relations, for a client of the local socket. */
export const INTEGRITY_PATH = apiUrl("integrity").pathname;

/**
 * Fetches a support packet.
 * @param {boolean} withLogs @param {AbortSignal} signal @param {(bytes: number) => void} progress
 * @returns {Promise<{ name: string, blob: Blob }>}
 */
export async function supportPacket(withLogs, signal, progress) {
  const response = await send("GET", "system/support_packet", { query: { basic_server_logs: withLogs }, signal });
  const name = response.headers.get("Content-Disposition")?.match(/filename="([^"]+)"/)?.[1] ?? "support_packet.zip";
  const parts = /** @type {Uint8Array<ArrayBuffer>[]} */ ([]);
  let bytes = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    parts.push(part.value);
    bytes += part.value.length;
    progress(bytes);
  }
  return { name, blob: new Blob(parts, { type: "application/zip" }) };
}
