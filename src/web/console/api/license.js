// Operations that change the licence, and the facts around it.

import { call } from "./client.js";

/** Returns the part of the licensed accounts that was active within a month, in thousandths.
 * @returns {Promise<{ load: number }>} */
export function load() {
  return call("GET", "license/load_metric");
}

/** Returns the trial licence that this installation had.
 * @returns {Promise<Record<string, string>>} */
export function earlierTrial() {
  return call("GET", "trial-license/prev");
}

/** Returns the limits of accounts.
 * @returns {Promise<{ maxUsersHardLimit: number, activeUserCount: number }>} */
export function limits() {
  return call("GET", "limits/server");
}

/** Returns the version of the server, as clients see it.
 * @returns {Promise<{ version: string, api: string }>} */
export async function edition() {
  const config = await call("GET", "config/client", { query: { format: "old" } });
  return { version: config.BuildNumber, api: config.Version };
}

/** Puts a signed licence in force. @param {File} file */
export function install(file) {
  const form = new FormData();
  form.append("license", file, file.name);
  return call("POST", "license", { body: form });
}

/** Removes the licence in force. */
export function remove() {
  return call("DELETE", "license");
}

/** Requests a trial licence. @param {Record<string, string | number | boolean>} request */
export function requestTrial(request) {
  return call("POST", "trial-license", { body: request });
}
