// The lines of the server's log that are on the screen, the newest first.

import { queryLogs } from "../api/logs.js";
import { batch, signal } from "../lib.js";
import { work } from "./list_work.js";
import { asServerTime, boundsOf, timeOf } from "./logs_times.js";
import { tellFailure } from "./notices.js";

/** The number of lines that are kept. */
export const MAX_LINES = 100_000;

/** The time between two looks for new lines. */
export const POLL_MS = 5_000;

const FIRST_LINES = 1_000;
const MORE_LINES = 10_000;

/** The time by which lines can be late or out of order, because several threads write them and a queue is between. */
const DISORDER_MS = 5_000;

/** The levels that can be chosen, each with the names that lines have. */
export const LEVELS = /** @type {Record<string, string[]>} */ ({
  error: ["error", "critical", "fatal", "panic"], warn: ["warn"], info: ["info", "stdlog"], debug: ["debug"],
  trace: ["trace"],
});

/** @typedef {{ at: number, level: string, message: string, record: import("../api/logs.js").LogRecord }} Line */

/**
 * @typedef {object} Filter
 * @property {string[]} levels keys of `LEVELS`; none means all
 * @property {import("./logs_times.js").Range} range
 * @property {string} text
 * @property {string} requestId
 * @property {boolean} requests true to take in the lines of single requests
 */

/** The filter that matches all lines of the log. @type {Filter} */
export const EVERYTHING = {
  levels: [], range: { span: "any", from: "", to: "" }, text: "", requestId: "", requests: false,
};

/** The lines of one page. */
export class LogLines {
  constructor() {
    this.lines = signal(/** @type {Line[]} */ ([]));
    /** The filter of these lines. */
    this.filter = signal(EVERYTHING);
    this.isLoading = signal(true);
    /** True if the last work on the list failed. */
    this.hasFailed = signal(false);
    this.isFollowing = signal(false);
    /** True if there may be older lines that match. */
    this.hasOlder = signal(false);
    /** The limit that ended the last answer early: `size`, `time` or nothing. */
    this.cut = signal("");
    /** The number of lines that were added in front since the filter was applied. */
    this.added = signal(0);
    /** The ids of the requests of this page. Their lines are left out. @type {Set<string>} */
    this.own = new Set();
    /** @type {import("../api/logs.js").LogQuery} */
    this.query = {};
    /** The time on the server at the last look. */
    this.lookedAt = 0;
    this.abort = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.isAway = () => document.visibilityState === "hidden";
    this.looked = () => this.schedule(0);
    document.addEventListener("visibilitychange", this.looked);
  }

  /** Ends everything that is under way. */
  close() {
    document.removeEventListener("visibilitychange", this.looked);
    this.pause();
    this.abort.abort();
  }

  /** Replaces the lines with those that match a filter. @param {Filter} filter */
  async load(filter) {
    this.abort.abort();
    this.abort = new AbortController();
    const { from, to } = boundsOf(filter.range, Date.now());
    this.query = {
      log_levels: filter.levels.flatMap((level) => LEVELS[level] ?? []),
      date_from: from === null ? "" : asServerTime(from),
      date_to: to === null ? "" : asServerTime(to),
      text: filter.text, request_id: filter.requestId, requests: filter.requests,
    };
    batch(() => {
      this.filter.value = filter;
      this.lines.value = [];
      this.added.value = 0;
      this.hasOlder.value = false;
      this.cut.value = "";
    });
    await this.work(async (signal) => {
      const { lines, isFull } = await this.read(this.query, FIRST_LINES, 0, signal);
      this.lines.value = lines;
      this.hasOlder.value = isFull;
    });
  }

  /** Adds older lines at the end. */
  older() {
    return this.work(async (signal) => {
      const oldest = this.lines.value.at(-1)?.at ?? 0;
      const until = oldest ? { date_to: asServerTime(oldest + DISORDER_MS) } : {};
      let page = 0;
      let isFull = true;
      let found = /** @type {Line[]} */ ([]);
      // A page may have nothing but lines that are here already, if many have the same time.
      while (found.length === 0 && isFull) {
        const answer = await this.read({ ...this.query, ...until }, MORE_LINES, page, signal);
        found = unseen(answer.lines, this.lines.value.filter((line) => line.at <= oldest + DISORDER_MS));
        isFull = answer.isFull;
        page += 1;
        if (this.cut.value) break;
      }
      const all = [...this.lines.value, ...found];
      batch(() => {
        this.lines.value = all.slice(0, MAX_LINES);
        this.hasOlder.value = isFull && all.length < MAX_LINES;
      });
    });
  }

  /** Looks for new lines from now on, while the page is in sight. */
  follow() {
    this.isFollowing.value = true;
    this.schedule(0);
  }

  pause() {
    this.isFollowing.value = false;
    clearTimeout(this.timer);
  }

  /** @param {number} delay */
  schedule(delay) {
    clearTimeout(this.timer);
    if (this.isFollowing.value && !this.isAway()) this.timer = setTimeout(() => this.look(), delay);
  }

  /** Adds new lines in front. */
  async look() {
    const { signal } = this.abort;
    try {
      const since = Math.max(this.lines.value[0]?.at ?? 0, this.lookedAt) - DISORDER_MS;
      const answer = await this.read({ ...this.query, date_from: asServerTime(since) }, MORE_LINES, 0, signal);
      const found = unseen(answer.lines, this.lines.value.filter((line) => line.at >= since));
      // Lines that do not fit into one answer leave a gap, so those before it go.
      if (answer.isFull) this.replace(answer.lines);
      else if (found.length > 0) this.addInFront(found);
    } catch (cause) {
      if (signal.aborted) return;
      this.pause();
      tellFailure(cause);
    }
    this.schedule(POLL_MS);
  }

  /** @param {Line[]} lines */
  replace(lines) {
    batch(() => {
      this.lines.value = lines;
      this.hasOlder.value = true;
    });
  }

  /** @param {Line[]} found */
  addInFront(found) {
    const all = [...found, ...this.lines.value];
    batch(() => {
      this.lines.value = all.slice(0, MAX_LINES);
      this.added.value += found.length;
    });
  }

  /** @param {(signal: AbortSignal) => Promise<void>} task */
  async work(task) {
    if (await work(this, task)) this.schedule(POLL_MS);
  }

  /** @param {import("../api/logs.js").LogQuery} query @param {number} count @param {number} page
   * @param {AbortSignal} signal */
  async read(query, count, page, signal) {
    const { records, cut, requestId, at } = await queryLogs(query, count, page, signal);
    signal.throwIfAborted();
    this.lookedAt = at;
    this.cut.value = cut;
    this.own.add(requestId);
    const isOwn = (/** @type {import("../api/logs.js").LogRecord} */ record) => this.own.has(record["request.id"]);
    const shown = query.request_id ? records : records.filter((record) => !isOwn(record));
    return { lines: shown.map(asLine).reverse(), isFull: records.length >= count || cut !== "" };
  }
}

/** Returns the lines as a file: one JSON object in each line, the oldest first. @param {Line[]} lines */
export function asFile(lines) {
  const texts = lines.map((line) => `${JSON.stringify(line.record)}\n`).reverse();
  return new Blob(texts, { type: "application/x-ndjson" });
}

/** Returns the fields of a line besides those that all lines have. @param {Line} line @returns {[string, string][]} */
export function fieldsOf(line) {
  const all = Object.entries(line.record).filter(([name]) => !["timestamp", "level", "msg"].includes(name));
  return all.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
}

/** Returns the fields of a line as one text. The id of the request is the last, because it is long and says little.
 * @param {Line} line */
export function fieldText(line) {
  const rank = (/** @type {[string, string]} */ [name]) => Number(name === "request.id");
  const own = fieldsOf(line).filter(([name]) => name !== "caller").sort((one, other) => rank(one) - rank(other));
  return own.map(([name, value]) => `${name}=${/[\s"]/.test(value) ? JSON.stringify(value) : value}`).join(" ");
}

/** @param {import("../api/logs.js").LogRecord} record @returns {Line} */
function asLine(record) {
  return { at: timeOf(record.timestamp), level: String(record.level ?? ""), message: String(record.msg ?? ""), record };
}

/** Returns the lines that are not among `known`. Equal lines count as often as they are there.
 * @param {Line[]} lines @param {Line[]} known */
function unseen(lines, known) {
  const counts = /** @type {Map<string, number>} */ (new Map());
  for (const { record } of known) {
    const text = JSON.stringify(record);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return lines.filter(({ record }) => {
    const text = JSON.stringify(record);
    const left = counts.get(text) ?? 0;
    if (left > 0) counts.set(text, left - 1);
    return left === 0;
  });
}
