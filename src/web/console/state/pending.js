// The settings that were changed since the start of the server and wait for its next one.

import { pendingRestart } from "../api/config.js";
import { effect, signal } from "../lib.js";
import { version } from "./edits.js";
import { may } from "./session.js";

/** The paths of the settings. */
export const pending = signal(/** @type {string[]} */ ([]));

// Each version of the configuration has others.
effect(() => {
  if (version.value && may("manage_system")) {
    pendingRestart().then((settings) => { pending.value = settings.map(({ path }) => path); }, () => {});
  }
});
