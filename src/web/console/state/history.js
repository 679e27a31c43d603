// The versions of the configuration, page by page, and the two that are compared.

import * as api from "../api/history.js";
import { batch, signal } from "../lib.js";
import { tellFailure } from "./notices.js";
import { learnNames } from "./people.js";

/** @typedef {api.Version} Version */
/** @typedef {{ before: Version, after: Version, changes: api.Change[] }} Comparison */

/** The number of versions on a page. */
export const PER_PAGE = 20;

/** The versions of the open page; null until they are there. */
export const versions = signal(/** @type {Version[] | null} */ (null));

/** The number of the open page, from 0. */
export const page = signal(0);

/** The versions that are chosen for a comparison, at most two. */
export const chosen = signal(/** @type {Version[]} */ ([]));

export const comparison = signal(/** @type {Comparison | null} */ (null));

/** True if the page that was opened last could not be loaded. */
export const hasFailed = signal(false);

export const isComparing = signal(false);

let lastRequest = 0;

/** Opens a page of the list. Only the last page that was opened is shown. @param {number} number */
export async function openPage(number) {
  lastRequest += 1;
  const own = lastRequest;
  hasFailed.value = false;
  try {
    const { records } = await api.versions(number, PER_PAGE);
    if (own !== lastRequest) return;
    batch(() => {
      versions.value = records;
      page.value = number;
    });
    await learnNames(records.map((record) => record.user_id));
  } catch (cause) {
    if (own === lastRequest) hasFailed.value = true;
    tellFailure(cause);
  }
}

/** Clears the choice and its comparison, for a new visit of the page. */
export function reset() {
  batch(() => {
    chosen.value = [];
    comparison.value = null;
  });
}

/** Chooses a version, or takes the choice back. A third one takes the place of the first. @param {Version} version */
export function toggle(version) {
  const others = chosen.value.filter(({ id }) => id !== version.id);
  chosen.value = others.length < chosen.value.length ? others : [...others, version].slice(-2);
}

/** Compares the two chosen versions, the earlier one with the later one. */
export async function compare() {
  const [before, after] = [...chosen.value].sort((one, other) => one.create_at - other.create_at);
  if (!after || isComparing.value) return;
  isComparing.value = true;
  try {
    comparison.value = { before, after, changes: await api.difference(before.id, after.id) };
  } catch (cause) {
    tellFailure(cause);
  } finally {
    isComparing.value = false;
  }
}
