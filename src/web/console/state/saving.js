// Saving: only the changed keys are sent, together with the version that they are based on.

import { ApiError, NOT_RECENT } from "../api/client.js";
import * as api from "../api/config.js";
import { batch, signal } from "../lib.js";
import { TEXTS } from "../texts.js";
import { problemOf } from "./checks.js";
import { explainOther, saveChoice, secondsOf } from "./confirmation.js";
import { asDocument, discard, edit, edits, isSame, rebase, refusals, refuse, saved, valueIn, version } from "./edits.js";
import { tell, tellFailure } from "./notices.js";
import { settingAt } from "./schema.js";

/**
 * A change that another one has overtaken.
 * @typedef {object} Conflict
 * @property {{ document: any, version: string, storage: string }} current the configuration in force
 * @property {{ path: string, yours: any, theirs: any, before: any }[]} rows one for each changed setting
 * @property {string[]} others further settings that were changed meanwhile
 */

export const isSaving = signal(false);

/** The reason for the change, for the history. */
export const comment = signal("");

export const conflict = signal(/** @type {Conflict | null} */ (null));

/** The settings that were refused, in the order of the page. */
export function refused() {
  return [...refusals.value].map(([path, message]) => ({ path, message, label: settingAt(path)?.label ?? path }));
}

/** Saves the changes. Returns true if they are in the configuration. */
export async function save() {
  if (isSaving.value || edits.value.size === 0) return false;
  if (!checked()) return false;
  isSaving.value = true;
  const count = edits.value.size;
  const needsRestart = [...edits.value.keys()].some((path) => settingAt(path)?.applies === "restart");
  // The first save also stores generated keys, which the server counts as settings of the stores.
  const isOfStore = [...edits.value.keys()].some((path) => path.startsWith("FileSettings."));
  try {
    const result = await api.patch(asDocument(), version.value, comment.value, secondsOf(saveChoice, edits.value.keys()));
    batch(() => {
      discard();
      rebase(result);
      comment.value = "";
    });
    tell("success", needsRestart ? `${TEXTS.save.done(count)} ${TEXTS.save.restart}` : TEXTS.save.done(count));
    if (isOfStore && /\bin-service\b/.test(result.storage)) tell("success", `${TEXTS.save.done(count)} ${TEXTS.save.inService}`);
    for (const { name, value } of result.warnings) tell("warning", `${TEXTS.warnings[name]} ${value}`);
    return true;
  } catch (cause) {
    if (cause instanceof ApiError && cause.status === 412) await overtaken();
    else if (cause instanceof ApiError && cause.id === NOT_RECENT) tellFailure(cause, TEXTS.save.refused);
    else if (!explainOther(cause)) explain(cause);
    return false;
  } finally {
    isSaving.value = false;
  }
}

/** Marks the values that cannot be sent. Returns true if there are none. */
function checked() {
  const problems = [...edits.value].map(([path, value]) => {
    const setting = settingAt(path);
    return /** @type {const} */ ([path, setting ? problemOf(setting, value) : ""]);
  }).filter(([, message]) => message);
  refusals.value = new Map(problems);
  return problems.length === 0;
}

/** Shows a refusal at the fields that it is about. @param {unknown} cause */
function explain(cause) {
  for (const problem of cause instanceof ApiError ? cause.errors : []) {
    const path = pathOf(problem.pointer);
    if (settingAt(path)) refuse(path, problem.message);
  }
  if (refusals.value.size === 0 && cause instanceof ApiError) placed(cause);
  tellFailure(cause, TEXTS.save.refused);
}

/** Marks the only changed setting that a message names. @param {ApiError} error */
function placed(error) {
  const named = [...edits.value.keys()].filter((path) => {
    const name = path.split(".").pop() ?? "";
    return error.message.includes(path) || error.message.includes(name);
  });
  if (named.length === 0 && edits.value.size === 1) named.push(...edits.value.keys());
  if (named.length === 1) refuse(named[0], error.message);
}

/** Returns the path of the setting that a JSON pointer leads to or into. @param {string} pointer */
function pathOf(pointer) {
  const names = pointer.split("/").slice(1);
  while (names.length > 0 && !settingAt(names.join("."))) names.pop();
  return names.join(".");
}

/** Compares three sides after another change was saved first. */
async function overtaken() {
  try {
    const current = await api.current();
    const rows = [...edits.value].map(([path, yours]) => (
      { path, yours, theirs: valueIn(current.document, path), before: saved(path) }
    ));
    conflict.value = { current, rows, others: changedBy(current.document) };
  } catch (cause) {
    tellFailure(cause);
  }
}

/** Returns the settings that another change altered and this one does not. @param {any} document */
function changedBy(document) {
  const found = [];
  for (const [section, values] of Object.entries(document)) {
    for (const name of Object.keys(values ?? {})) {
      const path = `${section}.${name}`;
      const isOther = !edits.value.has(path) && !isSame(saved(path), valueIn(document, path));
      if (isOther) found.push(settingAt(path)?.label ?? path);
    }
  }
  return found;
}

/** Ends the comparison with a value for each setting, on the base of the configuration in force. Nothing is saved yet.
 * @param {Map<string, any>} chosen */
export function resolve(chosen) {
  const current = conflict.value?.current;
  if (!current) return;
  batch(() => {
    conflict.value = null;
    rebase(current);
    chosen.forEach((value, path) => edit(path, value));
  });
}

/** Goes back to the changes as they are. */
export function postpone() {
  conflict.value = null;
}
