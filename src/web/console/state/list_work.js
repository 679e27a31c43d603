// The work on a list that is loaded in parts.

import { tellFailure } from "./notices.js";

/**
 * @typedef {object} List
 * @property {AbortController} abort
 * @property {import("../lib.js").Signal<boolean>} isLoading
 * @property {import("../lib.js").Signal<boolean>} hasFailed
 */

/** Runs a task of a list and tells its failure. Returns false if it was aborted: then the list is another one's.
 * @param {List} list @param {(signal: AbortSignal) => Promise<void>} task */
export async function work(list, task) {
  const { signal } = list.abort;
  list.isLoading.value = true;
  list.hasFailed.value = false;
  try {
    await task(signal);
  } catch (cause) {
    if (!signal.aborted) {
      list.hasFailed.value = true;
      tellFailure(cause);
    }
  }
  if (!signal.aborted) list.isLoading.value = false;
  return !signal.aborted;
}
