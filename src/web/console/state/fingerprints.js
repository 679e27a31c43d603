// Fingerprints of secrets, from a dry run of the change. They are fetched when they are wanted, because the audit trail
// has a record of each dry run.

import { preview } from "../api/config.js";
import { effect, signal } from "../lib.js";
import { asDocument, edits } from "./edits.js";
import { tellFailure } from "./notices.js";
import { settingAt } from "./schema.js";

/** The fingerprints before and after, by path. @type {import("../lib.js").Signal<Map<string, { before: string, after: string }>>} */
export const fingerprints = signal(/** @type {Map<string, { before: string, after: string }>} */ (new Map()));

// Other values have other fingerprints.
effect(() => {
  if (edits.value) fingerprints.value = new Map();
});

/** Returns the changed secrets. */
function changedSecrets() {
  return [...edits.value].filter(([path]) => settingAt(path)?.secret);
}

/** Returns true if a secret was changed. */
export function hasChangedSecret() {
  return changedSecrets().length > 0;
}

/** Fetches the fingerprints of the changed secrets. */
export async function fetchFingerprints() {
  try {
    const { changes } = await preview(asDocument(changedSecrets()));
    fingerprints.value = new Map(changes.map(({ path, before, after }) => [path, { before, after }]));
  } catch (cause) {
    tellFailure(cause);
  }
}
