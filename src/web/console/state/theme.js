// Light or dark: as the system says, or as the user chose.

import { signal } from "../lib.js";

/** @typedef {"system" | "light" | "dark"} Theme */

const KEY = "quarterdeck.theme";

/** @type {Theme[]} */
export const THEMES = ["system", "light", "dark"];

export const theme = signal(/** @type {Theme} */ ("system"));

/** Applies the choice of an earlier visit. */
export function applyTheme() {
  const known = THEMES.find((one) => one === localStorage.getItem(KEY));
  chooseTheme(known ?? "system");
}

/** @param {Theme} chosen */
export function chooseTheme(chosen) {
  theme.value = chosen;
  localStorage.setItem(KEY, chosen);
  document.documentElement.dataset.theme = chosen;
}
