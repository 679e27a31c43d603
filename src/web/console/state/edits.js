// The configuration in force and the changes to it that are not saved yet. "Changed" is always derived from the
// difference between the two.

import * as api from "../api/config.js";
import { batch, computed, signal } from "../lib.js";
import { settingAt } from "./schema.js";

/** The text that stands for a stored secret. */
export const MASK = "*".repeat(32);

const base = signal(/** @type {{ document: any, version: string } | null} */ (null));

/** The state of the stores of files, as the server reports it while saved settings are not in use. */
export const storageState = signal("");

/** The values that were typed and differ from those in force, by path. */
export const edits = signal(/** @type {Map<string, any>} */ (new Map()));

/** The messages of refused values, by path. */
export const refusals = signal(/** @type {Map<string, string>} */ (new Map()));

/** True once the configuration is there. */
export const isLoaded = computed(() => base.value !== null);

/** True if the configuration could not be loaded the last time. */
export const loadFailed = signal(false);

/** True if something was changed. */
export const isChanged = computed(() => edits.value.size > 0);

/** The version of the configuration on which the changes are based. */
export const version = computed(() => base.value?.version ?? "");

/** @type {Promise<void> | null} */
let loading = null;

/** The number of times that a base was set or asked for. A response that comes after another base is older than it. */
let turns = 0;

/** Loads the configuration, unless it is there or on its way. @param {boolean} [again] loads it in any case */
export function load(again = false) {
  if (again || !loading) {
    loadFailed.value = false;
    const turn = ++turns;
    loading = api.current().then((current) => { if (turn === turns) rebase(current); });
    loading.catch(() => {
      loading = null;
      loadFailed.value = true;
    });
  }
  return loading;
}

/** Drops the configuration that was loaded. */
export function forget() {
  loading = null;
  base.value = null;
}

/** Takes another version as the base; changes that it already has are changes no more.
 * @param {{ document: any, version: string, storage?: string }} current */
export function rebase(current) {
  turns += 1;
  batch(() => {
    base.value = { document: current.document, version: current.version };
    storageState.value = current.storage ?? "";
    const left = [...edits.value].filter(([path, value]) => !isSame(value, saved(path)));
    edits.value = new Map(left);
  });
}

/** Returns the value in force. @param {string} path @returns {any} */
export function saved(path) {
  return valueIn(base.value?.document, path);
}

/** Returns the value as it is on the screen. @param {string} path @returns {any} */
export function shown(path) {
  return edits.value.has(path) ? edits.value.get(path) : saved(path);
}

/** Returns true if a value was changed. @param {string} path */
export function isEdited(path) {
  return edits.value.has(path);
}

/** Changes a value on the screen. @param {string} path @param {any} value */
export function edit(path, value) {
  const next = new Map(edits.value);
  if (isSame(value, saved(path))) next.delete(path);
  else next.set(path, value);
  batch(() => {
    edits.value = next;
    refuse(path, "");
  });
}

/** Drops changes: of one setting, or all. @param {string} [path] */
export function discard(path) {
  batch(() => {
    const left = new Map(path ? edits.value : []);
    if (path) left.delete(path);
    edits.value = left;
    refusals.value = new Map([...refusals.value].filter(([other]) => path !== undefined && other !== path));
  });
}

/** Marks a value as refused; an empty message takes the mark away. @param {string} path @param {string} message */
export function refuse(path, message) {
  if ((refusals.value.get(path) ?? "") === message) return;
  const next = new Map(refusals.value);
  if (message) next.set(path, message);
  else next.delete(path);
  refusals.value = next;
}

/** Returns the changed keys as a document.
 * @param {Iterable<[string, any]>} [changes] */
export function asDocument(changes = edits.value) {
  const document = /** @type {any} */ ({});
  for (const [path, value] of changes) {
    const names = path.split(".");
    const last = /** @type {string} */ (names.pop());
    let section = document;
    for (const name of names) section = section[name] ??= {};
    section[last] = value;
  }
  return document;
}

/** Returns a section of the configuration as it is on the screen. @param {string} name */
export function sectionShown(name) {
  const changed = [...edits.value].filter(([path]) => path.startsWith(`${name}.`));
  return { ...base.value?.document[name], ...asDocument(changed)[name] };
}

/** Returns true if all conditions hold under which a setting has an effect, as far as the caller may read them.
 * @param {api.Setting} setting */
export function isInUse(setting) {
  return (setting.shown_when ?? []).every(({ path, value }) => {
    const other = settingAt(path);
    return !other || String(shown(path) ?? other.default ?? "") === value;
  });
}

/** Returns true if a secret must be entered again: a setting that says where it is sent was changed.
 * @param {api.Setting} setting */
export function needsReentry(setting) {
  const isStored = setting.secret && saved(setting.path) === MASK && !isEdited(setting.path);
  return isStored && (setting.companions ?? []).some(isEdited);
}

/** @param {any} document @param {string} path */
export function valueIn(document, path) {
  return path.split(".").reduce((section, name) => section?.[name], document);
}

/** @param {any} one @param {any} other */
export function isSame(one, other) {
  return one === other || JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
}
