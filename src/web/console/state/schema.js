// The description of the settings: which pages there are, what stands on them, and the search over all of it.

import { computed, signal } from "../lib.js";
import { ORDER } from "./order.js";

/** @typedef {import("../api/config.js").Setting} Setting */
/** @typedef {import("../api/config.js").MenuPage} MenuPage */

const described = signal(/** @type {{ pages: MenuPage[], settings: Setting[] }} */ ({ pages: [], settings: [] }));

/** The pages with settings that the caller may read, in the order of the menu. */
export const settingPages = computed(() => described.value.pages);

const byPath = computed(() => new Map(described.value.settings.map((setting) => [setting.path, setting])));

const byPage = computed(() => {
  const pages = /** @type {Map<string, Setting[]>} */ (new Map());
  for (const setting of described.value.settings) {
    pages.set(setting.page, [...(pages.get(setting.page) ?? []), setting]);
  }
  for (const settings of pages.values()) settings.sort(inOrder);
  return pages;
});

/** @param {{ pages: MenuPage[], settings: Setting[] }} description */
export function setDescription(description) {
  described.value = description;
}

/** Returns a setting; `undefined` if the caller may not read it. @param {string} path */
export function settingAt(path) {
  return byPath.value.get(path);
}

/** Returns the settings of a page, in the order in which they are shown. @param {string} address @returns {Setting[]} */
export function settingsOf(address) {
  return byPage.value.get(address) ?? [];
}

/** Returns true if the caller may change no setting of a page. @param {string} address */
export function isReadOnly(address) {
  return settingsOf(address).every((setting) => !setting.writable);
}

/** Returns true if a setting is a part of a list or a map, which is edited as a whole. @param {Setting} setting */
export function isPart(setting) {
  return /[[<]/.test(setting.path);
}

/** @param {Setting} one @param {Setting} other */
function inOrder(one, other) {
  const rank = (/** @type {Setting} */ setting) => {
    const place = ORDER.indexOf(setting.path);
    return place < 0 ? ORDER.length : place;
  };
  return rank(one) - rank(other) || Number(other.acted_on) - Number(one.acted_on) || 0;
}

/**
 * Finds settings by name, label and help: all words must occur. Those with the words in name or label come first.
 * @param {string} query
 * @returns {Setting[]}
 */
export function search(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const found = [];
  for (const setting of described.value.settings) {
    const name = `${setting.label} ${setting.path}`.toLowerCase();
    const all = `${name} ${setting.help.toLowerCase()}`;
    if (!words.every((word) => all.includes(word))) continue;
    const isNamed = words.every((word) => name.includes(word));
    const begins = setting.label.toLowerCase().startsWith(words[0]);
    found.push({ setting, rank: (begins ? 0 : 1) + (isNamed ? 0 : 2) + (setting.acted_on ? 0 : 3) });
  }
  return found.sort((one, other) => one.rank - other.rank).map(({ setting }) => setting);
}
