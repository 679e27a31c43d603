// The audit records that are on the screen. The server lists them by user or by request; the rest of a filter is applied
// here while pages are read from the newest record back.

import { audits, auditsOfRequest, queryLogs, userNamed, usersWithIds } from "../api/logs.js";
import { batch, signal } from "../lib.js";
import { work } from "./list_work.js";
import { boundsOf, timeOf } from "./logs_times.js";

/** The number of records in a page; the server sends no more. */
const PAGE_RECORDS = 200;

/** A search pauses after this number of records that match, or after this number of pages. */
const ENOUGH_RECORDS = 200;
const MAX_PAGES = 10;

/** The events with which looks at the log are recorded. */
const READS = ["getLogs", "queryLogs", "downloadLogs"];

/**
 * @typedef {object} Filter
 * @property {import("./logs_times.js").Range} range
 * @property {string} user a user name
 * @property {string} text
 * @property {string} outcome `success`, `fail`, `attempt`, or nothing for all
 * @property {boolean} withoutReads true to leave out looks at the log
 */

/** The filter that matches all records. @type {Filter} */
export const EVERYTHING = {
  range: { span: "any", from: "", to: "" }, user: "", text: "", outcome: "", withoutReads: false,
};

/** A record with the parts of its text. An event of another server has no outcome.
 * @typedef {import("../api/logs.js").Audit & { event: string, outcome: string, more: string }} Entry */

/** The names of users, by id. */
export const userNames = signal(/** @type {Map<string, string>} */ (new Map()));

/** The records of one page. */
export class AuditTrail {
  constructor() {
    this.entries = signal(/** @type {Entry[]} */ ([]));
    this.filter = signal(EVERYTHING);
    /** The id of the request whose record is shown; empty for a filter. */
    this.requestId = signal("");
    this.isLoading = signal(true);
    /** True if the last work on the list failed. */
    this.hasFailed = signal(false);
    /** The number of records that were read for the filter, and the time of the last one. */
    this.searched = signal({ count: 0, oldest: 0 });
    this.hasOlder = signal(false);
    this.abort = new AbortController();
    this.page = 0;
    this.userId = "";
    /** @type {Set<string>} */
    this.known = new Set();
  }

  close() {
    this.abort.abort();
  }

  /** Replaces the records with those that match a filter. @param {Filter} filter */
  load(filter) {
    return this.begin(filter, "", async (signal) => {
      this.userId = filter.user ? (await userNamed(filter.user)).id : "";
      await this.search(signal);
    });
  }

  /** Reads on from the last record. */
  further() {
    return work(this, (signal) => this.search(signal));
  }

  /** Shows the records of a request. @param {string} requestId @param {number} at its time, if it is known */
  find(requestId, at) {
    return this.begin(EVERYTHING, requestId, async (signal) => {
      const time = at || await loggedAt(requestId, signal);
      const entries = (await auditsOfRequest(requestId, time, signal)).map(asEntry);
      signal.throwIfAborted();
      await this.nameUsers(entries);
      this.entries.value = entries;
    });
  }

  /** @param {Filter} filter @param {string} requestId @param {(signal: AbortSignal) => Promise<void>} task */
  begin(filter, requestId, task) {
    this.abort.abort();
    this.abort = new AbortController();
    this.page = 0;
    this.userId = "";
    this.known = new Set();
    batch(() => {
      this.filter.value = filter;
      this.requestId.value = requestId;
      this.entries.value = [];
      this.searched.value = { count: 0, oldest: 0 };
      this.hasOlder.value = false;
    });
    return work(this, task);
  }

  /** @param {AbortSignal} signal */
  async search(signal) {
    const filter = this.filter.value;
    const { from, to } = boundsOf(filter.range, Date.now());
    let found = 0;
    for (let pages = 0; pages < MAX_PAGES && found < ENOUGH_RECORDS; pages += 1) {
      const { entries, isLast } = await this.read(signal);
      const isPast = from !== null && entries.length > 0 && entries.every((entry) => entry.create_at < from);
      await this.nameUsers(entries);
      const matching = entries.filter((entry) => matches(entry, filter, from, to));
      found += matching.length;
      batch(() => {
        this.entries.value = [...this.entries.value, ...matching];
        this.hasOlder.value = !isLast && !isPast;
      });
      if (isLast || isPast) return;
    }
  }

  /** Reads the next page. Records that were added meanwhile move others to a later page, so some are known already.
   * @param {AbortSignal} signal */
  async read(signal) {
    const records = await audits(this.userId, this.page, PAGE_RECORDS, signal);
    signal.throwIfAborted();
    this.page += 1;
    const entries = records.filter((record) => !this.known.has(record.id)).map(asEntry);
    for (const { id } of entries) this.known.add(id);
    const { count, oldest } = this.searched.value;
    this.searched.value = { count: count + entries.length, oldest: entries.at(-1)?.create_at ?? oldest };
    return { entries, isLast: records.length < PAGE_RECORDS };
  }

  /** Fetches the names of the users that are not known yet. @param {Entry[]} entries */
  async nameUsers(entries) {
    const ids = [...new Set(entries.map((entry) => entry.user_id))].filter((id) => id && !userNames.value.has(id));
    if (ids.length === 0) return;
    const users = await usersWithIds(ids).catch(() => []);
    userNames.value = new Map([...userNames.value, ...users.map(({ id, username }) => /** @type {const} */ ([id, username]))]);
  }
}

/** Returns the name of a user; the id of one that is not there any more. @param {string} id */
export function userName(id) {
  return userNames.value.get(id) ?? id;
}

/** Returns the members that differ between two documents, with their values.
 * @param {any} before @param {any} after
 * @returns {{ name: string, before: any, after: any }[]} */
export function differences(before, after) {
  const [one, other] = [flat(before), flat(after)];
  const names = [...new Set([...one.keys(), ...other.keys()])];
  const rows = names.map((name) => ({ name, before: one.get(name), after: other.get(name) }));
  return rows.filter((row) => JSON.stringify(row.before) !== JSON.stringify(row.after));
}

/** Returns true for a value that the trail has cut. @param {any} value */
export function isCut(value) {
  return typeof value?.cut === "string" && typeof value.length === "number";
}

/** @param {any} document @param {string} [prefix] @returns {Map<string, any>} */
function flat(document, prefix = "") {
  if (document === null || document === undefined) return new Map();
  if (typeof document !== "object" || Array.isArray(document) || isCut(document)) return new Map([[prefix, document]]);
  return new Map(Object.entries(document).flatMap(([name, value]) => [...flat(value, prefix ? `${prefix}.${name}` : name)]));
}

/** Returns the time of a request in the log; 0 if the log does not have it, or the caller may not read it.
 * @param {string} requestId @param {AbortSignal} signal */
async function loggedAt(requestId, signal) {
  const { pages } = await queryLogs({ request_id: requestId }, 1, signal).catch(() => ({ pages: {} }));
  signal.throwIfAborted();
  const records = Object.values(pages).flat();
  return records[0] ? timeOf(records[0].timestamp) : 0;
}

/** @param {import("../api/logs.js").Audit} record @returns {Entry} */
function asEntry(record) {
  const [event = "", outcome = "", ...rest] = record.extra_info.split(" ");
  const isOwn = ["success", "fail", "attempt"].includes(outcome);
  return isOwn
    ? { ...record, event, outcome, more: rest.join(" ") }
    : { ...record, event: "", outcome: "", more: record.extra_info };
}

/** @param {Entry} entry @param {Filter} filter @param {number | null} from @param {number | null} to */
function matches(entry, filter, from, to) {
  const { create_at: at } = entry;
  if ((from !== null && at < from) || (to !== null && at > to)) return false;
  if (filter.outcome && entry.outcome !== filter.outcome) return false;
  if (filter.withoutReads && READS.includes(entry.event)) return false;
  const all = `${entry.extra_info} ${entry.action} ${entry.ip_address} ${userName(entry.user_id)}`.toLowerCase();
  return all.includes(filter.text.toLowerCase());
}
