// The list of accounts: conditions, order and page. It stays while an account of it is open.

import * as api from "../api/users.js";
import { batch, signal } from "../lib.js";

/** @typedef {import("../api/users.js").Account} Account */
/** @typedef {"Username" | "Email" | "CreateAt"} Column */
/** @typedef {"all" | "active" | "inactive" | "guests"} Kind */

/**
 * @typedef {object} Conditions
 * @property {string} term
 * @property {string} role
 * @property {Kind} kind
 * @property {Column} column
 * @property {boolean} isDescending
 */

export const PAGE_SIZE = 50;

/** The time without a key stroke after which a search starts. */
const TYPING_MS = 250;

/** The conditions and the order. @type {import("../lib.js").Signal<Conditions>} */
export const conditions = signal(/** @type {Conditions} */ ({
  term: "", role: "", kind: "all", column: "Username", isDescending: false,
}));

/** The accounts of the page that is shown; null until there is one. */
export const accounts = signal(/** @type {Account[] | null} */ (null));

/** The number of accounts that meet the conditions. */
export const total = signal(/** @type {number | null} */ (null));

/** True while a page is on its way. */
export const isLoading = signal(false);

/** True if the last page could not be loaded. */
export const hasFailed = signal(false);

/** The number of the page, from 0. */
export const page = signal(0);

/** The last account of each page before the one that is shown. @type {Account[]} */
let ends = [];

/** @type {ReturnType<typeof setTimeout> | undefined} */
let typing;

/** Counts the requests. The response to an earlier one is ignored. */
let latest = 0;

/** Changes conditions or order, and loads the first page. @param {Partial<Conditions>} change */
export function narrow(change) {
  conditions.value = { ...conditions.value, ...change };
  clearTimeout(typing);
  return first();
}

/** Changes the search term, and loads the first page after a pause of typing.
 * @param {string} term @param {(cause: unknown) => void} failed */
export function search(term, failed) {
  conditions.value = { ...conditions.value, term };
  clearTimeout(typing);
  typing = setTimeout(() => { first().catch(failed); }, TYPING_MS);
}

/** Orders by a column; a second time turns the order. @param {Column} column */
export function orderBy(column) {
  const { column: before, isDescending } = conditions.value;
  return narrow({ column, isDescending: column === before && !isDescending });
}

/** Drops the list, because it lacks an account. */
export function drop() {
  latest += 1;
  accounts.value = null;
  isLoading.value = false;
}

/** Loads the first page. */
export function first() {
  ends = [];
  return load(true);
}

/** Loads the page after the one that is shown. */
export function next() {
  const last = accounts.value?.at(-1);
  return turn(last ? [...ends, last] : ends);
}

/** Loads the page before the one that is shown. */
export function previous() {
  return turn(ends.slice(0, -1));
}

/** Loads another page. If that fails, the page that is shown stays. @param {Account[]} wanted */
async function turn(wanted) {
  const before = ends;
  ends = wanted;
  try {
    await load(false);
  } catch (cause) {
    if (ends === wanted) ends = before;
    throw cause;
  }
}

/** Loads the page that is shown again. @param {boolean} [counts] true to count the accounts as well */
export async function load(counts = true) {
  latest += 1;
  const own = latest;
  isLoading.value = true;
  try {
    const [found, count] = await Promise.all([api.report(pageQuery()), counts ? api.countReport(filter()) : total.value]);
    if (own !== latest) return;
    batch(() => {
      accounts.value = found;
      total.value = count;
      page.value = ends.length;
      hasFailed.value = false;
    });
  } catch (cause) {
    if (own === latest) hasFailed.value = true;
    throw cause;
  } finally {
    if (own === latest) isLoading.value = false;
  }
}

/** @returns {api.Query} */
function filter() {
  const { term, role, kind } = conditions.value;
  return {
    search_term: term.trim() || undefined,
    role_filter: role || undefined,
    hide_inactive: kind === "active" || undefined,
    hide_active: kind === "inactive" || undefined,
    guest_filter: kind === "guests" ? "all" : undefined,
  };
}

/** @returns {api.Query} */
function pageQuery() {
  const { column, isDescending } = conditions.value;
  const end = ends.at(-1);
  const cursor = end && { from_id: end.id, from_column_value: valueIn(end, column), direction: "next" };
  return {
    ...filter(), ...cursor, sort_column: column, sort_direction: isDescending ? "desc" : "asc", page_size: PAGE_SIZE,
  };
}

/** @param {Account} account @param {Column} column */
function valueIn(account, column) {
  return { Username: account.username, Email: account.email, CreateAt: account.create_at ?? 0 }[column];
}
