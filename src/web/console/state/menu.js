// The menu: pages of settings and pages of their own, by category, as far as the caller may see them.

import { computed } from "../lib.js";
import { OWN_PAGES } from "../pages.js";
import { settingPages } from "./schema.js";
import { may } from "./session.js";

/** @typedef {{ address: string, category: string, label: string, own: import("../pages.js").OwnPage | undefined }} Entry */

/** The categories in their order, with the keys that scripts know. */
const CATEGORIES = [
  ["Overview", "overview"],
  ["About", "about"],
  ["Reporting", "reporting"],
  ["User management", "user_management"],
  ["Environment", "environment"],
  ["Site configuration", "site"],
  ["Authentication", "authentication"],
  ["Plugins", "plugins"],
  ["Integrations", "integrations"],
  ["Compliance", "compliance"],
  ["Experimental", "experimental"],
];

/** The pages that the caller may see, in the order of the menu. */
export const entries = computed(() => {
  const own = OWN_PAGES.filter((page) => !page.needs || page.needs.some(may));
  const isOwn = (/** @type {string} */ address) => OWN_PAGES.some((page) => page.address === address);
  /** @type {Entry[]} */
  const all = settingPages.value.map((page) => ({ ...page, own: own.find((one) => one.address === page.address) }));
  const added = own.filter((page) => !settingPages.value.some((one) => one.address === page.address));
  const extra = added.map((page) => ({ address: page.address, category: page.category, label: page.label, own: page }));
  return [...extra, ...all.filter((entry) => entry.own || !isOwn(entry.address))];
});

/** The categories with their pages. */
export const categories = computed(() => CATEGORIES
  .map(([label, key]) => ({ label, key, pages: entries.value.filter((entry) => entry.category === label) }))
  .filter((category) => category.pages.length > 0));

/** The first page of the menu. */
export const firstPage = computed(() => categories.value[0]?.pages[0]);

/** Returns the entry of a page. @param {string} address */
export function entryOf(address) {
  return entries.value.find((entry) => entry.address === address);
}

/** Finds pages of their own by label and further words. @param {string} query */
export function searchPages(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length === 0 ? [] : entries.value.filter((entry) => {
    const text = `${entry.label} ${entry.category} ${entry.own?.words ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
