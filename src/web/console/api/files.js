// Operations about the stores of files.

import { call } from "./client.js";

/**
 * @typedef {object} Report
 * @property {string} driver
 * @property {string} target
 * @property {string} identity
 * @property {string} [note]
 * @property {{ step: string, outcome: "passed" | "failed" | "skipped", duration_ms: number }[]} stages
 * @property {{ step: string, kind: string, code?: string, cause: string, remedy: string }} [trouble]
 * @property {number} duration_ms
 */

/** Tests a store with settings that need not be saved.
 * @param {"files" | "export"} store @param {any} settings the section `FileSettings` @param {AbortSignal} signal
 * @returns {Promise<{ report: Report }>} */
export function testStore(store, settings, signal) {
  return call("POST", "file/test", { query: { store, report: true }, body: { FileSettings: settings }, signal });
}
