// Operations about the state of the server: health, busy mark, figures, licence.

import { signal } from "../lib.js";
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

/** The milliseconds that the last answer about readiness took; `null` if there was none. */
export const answeredMs = signal(/** @type {number | null} */ (null));

const LINE = /^\[[-+!]\](\S+) (ok|failed|degraded)(?:: (.*?))?(?: \((\d+) s ago\))?$/;

/** Returns the checks of readiness; none if a proxy does not pass them on.
 * @returns {Promise<Check[]>} */
export async function readiness() {
  const options = /** @type {RequestInit} */ ({ credentials: "omit", cache: "no-store" });
  const startedAt = performance.now();
  const response = await fetch(new URL("readyz?verbose", SITE), options).catch(() => null);
  answeredMs.value = response && performance.now() - startedAt;
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

/** Returns the licence in force, as far as the caller may read it: names and values, all as text.
 * @returns {Promise<Record<string, string>>} */
export function licenseInForce() {
  return call("GET", "license/client", { query: { format: "old" } });
}
