// The three things to do on a new server, until they are done or the list is hidden. The browser keeps this choice.

import { saved, isLoaded } from "./edits.js";
import { computed, signal } from "../lib.js";
import { settingAt } from "./schema.js";
import { may, user } from "./session.js";

/** @typedef {"siteUrl" | "storage" | "mail"} Task */
/** @typedef {{ isHidden?: boolean, keepsFolder?: boolean }} Choice */

const chosen = signal(/** @type {Choice | null} */ (null));

/** The tasks in their order, with the setting to which each leads. */
export const TASKS = /** @type {[Task, string, string][]} */ ([
  ["siteUrl", "environment/web_server", "ServiceSettings.SiteURL"],
  ["storage", "environment/file_storage", "FileSettings.DriverName"],
  ["mail", "environment/smtp", "EmailSettings.SMTPServer"],
]);

/** Returns true if a task is done. @param {Task} task */
export function isDone(task) {
  switch (task) {
    case "siteUrl": return Boolean(saved("ServiceSettings.SiteURL"));
    case "storage": return choice().keepsFolder === true || !isStandard("FileSettings.DriverName", "FileSettings.Directory");
    case "mail": return !isStandard("EmailSettings.SMTPServer", "EmailSettings.SMTPPort");
  }
}

/** True while the list is shown. */
export const isListed = computed(() => (
  isLoaded.value && may("manage_system") && !choice().isHidden && TASKS.some(([task]) => !isDone(task))
));

/** Changes what this browser keeps about the list. @param {Choice} change */
export function choose(change) {
  chosen.value = { ...choice(), ...change };
  try {
    localStorage.setItem(key(), JSON.stringify(chosen.value));
  } catch {
    // Without storage, the choice lasts until the page is loaded again.
  }
}

/** @returns {Choice} */
function choice() {
  if (chosen.value) return chosen.value;
  try {
    return JSON.parse(localStorage.getItem(key()) ?? "{}") ?? {};
  } catch {
    return {};
  }
}

/** The choice belongs to the account. */
function key() {
  return `quarterdeck.setup.${user.value?.id}`;
}

/** Returns true if all these settings have their defaults. @param {string[]} paths */
function isStandard(...paths) {
  return paths.every((path) => String(saved(path) ?? "") === String(settingAt(path)?.default ?? ""));
}
