// Operations about the stores of files.

import { TEXTS } from "../texts.js";
import { ApiError, send } from "./client.js";

/**
 * @typedef {object} Report
 * @property {string} driver
 * @property {string} target
 * @property {string} identity
 * @property {string} [note]
 * @property {{ step: string, outcome: "passed" | "failed" | "skipped", duration_ms: number }[]} stages
 * @property {{ step: string, kind: string, code?: string, cause: string, remedy: string }} [trouble]
 * @property {number} duration_ms
 * @property {NodeResult[]} [nodes] the results on the other servers of the database, if there are some
 */

/** @typedef {{ node: string, outcome: "passed" | "failed" | "not_tested", reason?: string, trouble?: Report["trouble"] }} NodeResult */

/**
 * A step of a test that began or ended. A step that failed has the cause.
 * @typedef {object} StepLine
 * @property {"started" | "ended" | "not_tested"} event
 * @property {string} [node] the server, if there are several
 * @property {string} step
 * @property {"passed" | "failed"} [outcome]
 * @property {number} [duration_ms]
 * @property {string} [code]
 * @property {string} [cause]
 * @property {string} [remedy]
 */

/** The media type of lines of JSON. */
const LINES = "application/x-ndjson";

/** Tests a store with settings that need not be saved. A server that sends no lines tells no step before the report.
 * @param {"files" | "export"} store @param {any} settings the section `FileSettings` @param {AbortSignal} signal
 * @param {(line: StepLine) => void} onStep
 * @returns {Promise<{ report: Report }>} */
export async function testStore(store, settings, signal, onStep) {
  const response = await send("POST", "file/test", {
    query: { store, report: true }, body: { FileSettings: settings }, signal,
    headers: { Accept: `${LINES}, application/json;q=0.9` },
  });
  if (!response.headers.get("Content-Type")?.startsWith(LINES)) return response.json();
  const id = response.headers.get("X-Request-Id") ?? "";
  const last = await readLines(response, (line) => {
    if (line.event !== "report") onStep(line);
  }).catch((cause) => {
    if (signal.aborted) throw cause;
  });
  if (last?.event !== "report") throw new ApiError(0, { message: TEXTS.brokenOff }, id);
  if (last.report.trouble) throw new ApiError(last.status_code, last, id);
  return last;
}

/** Reads a response of lines of JSON. Returns the last line.
 * @param {Response} response @param {(line: any) => void} onLine */
async function readLines(response, onLine) {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let last = null;
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done) return last;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      last = JSON.parse(line);
      onLine(last);
    }
  }
}
