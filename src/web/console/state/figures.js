// The figures of the server over the last hour. They come over the WebSocket, or with requests where there is none, and
// stay while other pages are open.

import { serverFigures } from "../api/dashboard.js";
import { signal } from "../lib.js";
import { requestOverSocket } from "./rights.js";

/** @typedef {import("../api/dashboard.js").ServerFigures} ServerFigures */

const HOUR_MS = 3_600_000;

/** The lists of a response, each with one entry for each sample. */
const LISTS = /** @type {const} */ ([
  "numbers", "at_ms", "covered_ms", "requests", "errors", "server_errors", "mean_us", "slow_us", "memory_bytes",
  "websockets", "database_connections",
]);

/** The figures of the server that answered last. */
export const figures = signal(/** @type {ServerFigures | null} */ (null));

/** Reads what came since the last time. A response of another server takes the place of all that is known. */
export async function readFigures() {
  const known = figures.value;
  const later = await readAfter(known?.numbers.at(-1) ?? 0);
  if (!known || later.node_id === known.node_id) figures.value = joined(known, later);
  else figures.value = await readAfter(0);
}

/** @param {number} after the number of a sample @returns {Promise<ServerFigures>} */
async function readAfter(after) {
  return await requestOverSocket("get_server_figures", { after }) ?? serverFigures(after);
}

/** Returns the samples of both, without those that are older than an hour.
 * @param {ServerFigures | null} known @param {ServerFigures} later @returns {ServerFigures} */
function joined(known, later) {
  const all = /** @type {any} */ ({ ...later });
  const isRecent = (known?.at_ms ?? []).map((at) => later.now_ms - at <= HOUR_MS);
  for (const name of LISTS) {
    const kept = /** @type {any[]} */ (known?.[name] ?? []).filter((_, index) => isRecent[index]);
    all[name] = [...kept, ...later[name]];
  }
  return all;
}

/** Returns the times of the samples in Unix seconds. The server tells their ages, so the clock is the one of the reader.
 * @param {ServerFigures} shown @param {number} readAt the time of the response, in Unix milliseconds */
export function timesOf(shown, readAt) {
  return shown.at_ms.map((at) => (readAt - (shown.now_ms - at)) / 1000);
}

/** Returns how many there were in a minute; `null` for an interval that is too short to tell.
 * @param {number[]} counts @param {number[]} covered the lengths of the intervals in milliseconds */
export function perMinute(counts, covered) {
  return counts.map((count, index) => (covered[index] < 1000 ? null : Math.round((count * 60_000) / covered[index])));
}
