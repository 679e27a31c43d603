// The names of accounts, by id. Each is fetched once.

import { accounts } from "../api/history.js";
import { signal } from "../lib.js";
import { tellFailure } from "./notices.js";

const names = signal(/** @type {Map<string, string>} */ (new Map()));

const wanted = /** @type {Set<string>} */ (new Set());

/** Returns the name of an account; empty while it is not known. @param {string} id */
export function nameOf(id) {
  return names.value.get(id) ?? "";
}

/** Fetches the names of accounts that were not fetched yet. @param {string[]} ids */
export async function learnNames(ids) {
  const missing = [...new Set(ids)].filter((id) => id && !wanted.has(id));
  if (missing.length === 0) return;
  missing.forEach((id) => wanted.add(id));
  try {
    const found = await accounts(missing);
    const known = new Map(found.map(({ id, username }) => /** @type {const} */ ([id, username])));
    // An account that is gone keeps its id as the name.
    names.value = new Map([...names.peek(), ...missing.map((id) => /** @type {const} */ ([id, known.get(id) ?? id]))]);
  } catch (cause) {
    missing.forEach((id) => wanted.delete(id));
    tellFailure(cause);
  }
}
