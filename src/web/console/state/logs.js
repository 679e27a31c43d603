// The lines of the server's log that are on the screen, the newest first.

import { ApiError } from "../api/client.js";
import { queryLogs } from "../api/logs.js";
import { batch, signal } from "../lib.js";
import { work } from "./list_work.js";
import { DISORDER_MS, inFront, lateOf, merged, sinceOf, startOf, unseen, withClocks } from "./logs_merged.js";
import { asServerTime, boundsOf, timeOf } from "./logs_times.js";
import { tellFailure } from "./notices.js";

/** The number of lines that are kept. */
export const MAX_LINES = 100_000;

/** The time between two looks for new lines. */
export const POLL_MS = 5_000;

const FIRST_LINES = 1_000;
const MORE_LINES = 10_000;

/** The levels that can be chosen, each with the names that lines have. */
export const LEVELS = /** @type {Record<string, string[]>} */ ({
  error: ["error", "critical", "fatal", "panic"], warn: ["warn"], info: ["info", "stdlog"], debug: ["debug"],
  trace: ["trace"],
});

/** A line of the log; `server` is empty if there is only one.
 * @typedef {{ at: number, level: string, message: string, server: string, record: import("../api/logs.js").LogRecord }} Line */

/**
 * @typedef {object} Filter
 * @property {string} server the name of a server; an empty text for all
 * @property {string[]} levels keys of `LEVELS`; none means all
 * @property {import("./logs_times.js").Range} range
 * @property {string} text
 * @property {string} requestId
 * @property {boolean} requests true to take in the lines of single requests
 */

/** The filter that matches all lines of the log. @type {Filter} */
export const EVERYTHING = {
  server: "", levels: [], range: { span: "any", from: "", to: "" }, text: "", requestId: "", requests: false,
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
    /** The names of the servers on the database, that of the one that answers first. @type {import("../lib.js").Signal<string[]>} */
    this.servers = signal([]);
    /** The servers without an answer to the last look, each with the reason. @type {import("../lib.js").Signal<[string, string][]>} */
    this.missing = signal([]);
    /** The number of lines that were added in front since the filter was applied. */
    this.added = signal(0);
    /** The ids of the requests of this page. Their lines are left out. @type {Set<string>} */
    this.own = new Set();
    /** @type {import("../api/logs.js").LogQuery} */
    this.query = {};
    /** @type {import("./logs_merged.js").Looks} */
    this.looks = new Map();
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
    this.looks = new Map();
    this.query = {
      server_names: filter.server ? [filter.server] : [],
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
      const pages = await this.read(this.query, FIRST_LINES, signal);
      this.lines.value = merged(pages);
      this.hasOlder.value = pages.some(({ isFull }) => isFull);
    });
  }

  /** Adds older lines at the end. */
  older() {
    return this.work(async (signal) => {
      const oldest = this.lines.value.at(-1)?.at ?? 0;
      let until = oldest && oldest + DISORDER_MS;
      let isFull = true;
      let found = /** @type {Line[]} */ ([]);
      // An answer may have nothing but lines that are here already, if many are close together. An earlier time has others.
      while (found.length === 0 && isFull) {
        const bound = until ? { date_to: asServerTime(until) } : {};
        const pages = await this.read({ ...this.query, ...bound }, MORE_LINES, signal);
        found = unseen(merged(pages), this.lines.value.filter((line) => line.at <= oldest + DISORDER_MS));
        isFull = pages.some((one) => one.isFull);
        const start = startOf(pages);
        // A server that found nothing in its time does not say from when on its lines are complete.
        if (!start || start >= until) break;
        until = start;
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
    const { abort: { signal }, looks } = this;
    const readSince = (/** @type {number} */ since, names = this.query.server_names) =>
      this.read({ ...this.query, server_names: names, date_from: asServerTime(since) }, MORE_LINES, signal);
    try {
      let since = looks.size > 0 ? sinceOf(looks) : 0;
      let pages = await readSince(since);
      const late = lateOf(looks, this.looks);
      if (late.size > 0) {
        const missing = this.missing.value;
        // They keep their times if this read fails, so the next look tries again.
        this.looks = new Map([...this.looks, ...late]);
        since = Math.min(...late.values()) - DISORDER_MS;
        const more = await readSince(since, [...late.keys()]).catch(() => []);
        signal.throwIfAborted();
        this.missing.value = [...missing, ...this.missing.value.filter(([name]) => late.has(name))];
        pages = [...pages.filter(({ server }) => !late.has(server)), ...more];
      }
      const lines = merged(pages);
      const found = unseen(lines, this.lines.value.filter((line) => line.at >= since));
      // Lines that do not fit into one answer leave a gap, so those before it go.
      if (pages.some(({ isFull, lines: own }) => isFull && own[0])) this.replace(lines);
      else if (found.length > 0) this.addInFront(found);
    } catch (cause) {
      if (signal.aborted) return;
      // The chosen server is unknown while it restarts.
      const name = this.filter.value.server;
      if (name && cause instanceof ApiError && cause.status === 400) this.missing.value = [[name, "away"]];
      else {
        this.pause();
        tellFailure(cause);
      }
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
    const all = inFront(found, this.lines.value);
    batch(() => {
      this.lines.value = all.slice(0, MAX_LINES);
      this.added.value += found.length;
    });
  }

  /** @param {(signal: AbortSignal) => Promise<void>} task */
  async work(task) {
    if (await work(this, task)) this.schedule(POLL_MS);
  }

  /** Returns the lines of each server, the newest first. @param {import("../api/logs.js").LogQuery} query
   * @param {number} count @param {AbortSignal} signal */
  async read(query, count, signal) {
    const { pages, servers, missing, cut, cutServers, requestId, clocks } = await queryLogs(query, count, signal);
    signal.throwIfAborted();
    for (const name of cutServers.filter((one) => !pages[one])) {
      pages[name] = [];
      // The next look reads from its earlier time again.
      clocks.delete(name);
    }
    if (query.date_to === this.query.date_to) this.looks = withClocks(this.looks, clocks, servers);
    this.own.add(requestId);
    batch(() => {
      this.cut.value = cut;
      this.servers.value = servers;
      this.missing.value = missing;
    });
    const isShown = (/** @type {Line} */ { record }) => query.request_id || !this.own.has(record["request.id"]);
    return Object.entries(pages).map(([name, records]) => {
      const lines = records.map((record) => asLine(record, servers.length > 1 ? name : "")).reverse();
      return { server: name, lines: lines.filter(isShown), isFull: records.length >= count || cutServers.includes(name) };
    });
  }
}

/** Returns the lines as a file: one JSON object in each line, the oldest first. @param {Line[]} lines */
export function asFile(lines) {
  const texts = lines.map(({ server, record }) => `${JSON.stringify(server ? { server, ...record } : record)}\n`).reverse();
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

/** @param {import("../api/logs.js").LogRecord} record @param {string} server @returns {Line} */
function asLine(record, server) {
  const { timestamp, level, msg } = record;
  return { at: timeOf(timestamp), level: String(level ?? ""), message: String(msg ?? ""), server, record };
}
