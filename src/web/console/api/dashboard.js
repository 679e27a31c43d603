// Operations about the state of the server: health, busy mark, figures, licence.

import { SITE } from "../state/place.js";
import { ApiError, call, send } from "./client.js";

/**
 * A check of readiness.
 * @typedef {object} Check
 * @property {string} name
 * @property {"ok" | "failed" | "degraded"} outcome
 * @property {string} problem empty if the check passed
 * @property {number | null} ageS the seconds since the check, if it has a time of its own
 */

/** @typedef {{ name: string, value: number }} Figure */

/**
 * A server on the same database.
 * @typedef {object} Node
 * @property {string} id
 * @property {string} name
 * @property {string} version
 * @property {string} ipaddress empty on the machine of the database
 * @property {number} start_at Unix milliseconds
 * @property {number} lag the number of messages of other servers that it has not handled
 * @property {boolean} is_self
 */

/**
 * Figures of one server. Each list has an entry for each sample, the oldest first.
 * @typedef {object} ServerFigures
 * @property {string} node_id a new one for each start of a server
 * @property {string} node_name
 * @property {number} now_ms the present time on the clock of `at_ms`
 * @property {{ name: string, restarts: number }[]} actors
 * @property {number[]} numbers
 * @property {number[]} at_ms
 * @property {number[]} covered_ms
 * @property {number[]} requests
 * @property {number[]} errors
 * @property {number[]} server_errors
 * @property {(number | null)[]} mean_us
 * @property {(number | null)[]} slow_us
 * @property {(number | null)[]} memory_bytes
 * @property {number[]} websockets
 * @property {number[]} database_connections
 */

const LINE = /^\[[-+!]\](\S+) (ok|failed|degraded)(?:: (.*?))?(?: \((\d+) s ago\))?$/;

/** Returns the checks of readiness; none if a proxy does not pass them on.
 * @returns {Promise<Check[]>} */
export async function readiness() {
  const options = /** @type {RequestInit} */ ({ credentials: "omit", cache: "no-store" });
  const response = await fetch(new URL("readyz?verbose", SITE), options).catch(() => null);
  if (!response) throw new ApiError(0, { id: "unreachable", message: "The server could not be reached." }, "");
  const lines = (await response.text()).split("\n").flatMap((line) => {
    const found = line.match(LINE);
    return found ? [found] : [];
  });
  return lines.map(([, name, outcome, problem = "", age]) => (
    { name, outcome: /** @type {Check["outcome"]} */ (outcome), problem, ageS: age === undefined ? null : Number(age) }
  ));
}

/** Returns the state of the server as the ping tells it. @returns {Promise<any>} */
export function ping() {
  return call("GET", "system/ping", { query: { get_server_status: true, use_rest_semantics: true } });
}

/** Returns the servers on the same database. @returns {Promise<Node[]>} */
export function clusterNodes() {
  return call("GET", "cluster/status");
}

/** Returns the end of the time for which the server is marked as busy, in Unix milliseconds; `null` if it is not.
 * @returns {Promise<number | null>} */
export async function busyUntil() {
  const flag = await call("GET", "server_busy");
  return flag.busy ? flag.expires * 1000 : null;
}

/** Marks the server as busy. @param {number} seconds */
export function markBusy(seconds) {
  return call("POST", "server_busy", { query: { seconds } });
}

/** Takes the mark away. */
export function clearBusy() {
  return call("DELETE", "server_busy");
}

/** Returns figures of the site, and the seconds since they were counted.
 * @param {string} name the group of figures
 * @returns {Promise<{ figures: Figure[], ageS: number }>} */
export async function figures(name) {
  const response = await send("GET", "analytics/old", { query: { name } });
  return { figures: await response.json(), ageS: Number(response.headers.get("Age") ?? 0) };
}

/** Returns the samples of the last hour after one. @param {number} after its number @returns {Promise<ServerFigures>} */
export function serverFigures(after) {
  return call("GET", "analytics/server", { query: { after } });
}

/** Returns the licence in force, as far as the caller may read it: names and values, all as text.
 * @returns {Promise<Record<string, string>>} */
export function licenseInForce() {
  return call("GET", "license/client", { query: { format: "old" } });
}
