// The address of the page that is open, and the one guard in front of leaving it with changes.

import { computed, signal } from "../lib.js";
import { discard, isChanged } from "./edits.js";
import { CONSOLE } from "./place.js";
import { clearPassing } from "./notices.js";

const FOLDER = "admin_console/";

/** The path of the open page below `admin_console/`, such as `environment/file_storage`; empty at the start. */
export const address = signal("");

/** The place on the page, such as the path of a setting. */
export const anchor = signal("");

/** Counts the times that an anchor was followed, also twice the same. */
export const arrivals = signal(0);

/** The navigation that waits for an answer, because there are changes. @type {import("../lib.js").Signal<(() => void) | null>} */
export const held = signal(/** @type {(() => void) | null} */ (null));

/** True while a question about leaving is open. */
export const isAsking = computed(() => held.value !== null);

/** Returns the address of a page, for a link. @param {string} page @param {string} [place] */
export function linkTo(page, place = "") {
  return new URL(`${FOLDER}${page}${place ? `#${place}` : ""}`, CONSOLE).href;
}

/** Opens a page. Asks first if there are changes and another page is meant.
 * @param {string} page @param {string} [place] @param {boolean} [replaces] true to leave no entry in the history */
export function open(page, place = "", replaces = false) {
  guarded(page, () => {
    const url = linkTo(page, place);
    if (replaces) history.replaceState(null, "", url);
    else if (url !== location.href) history.pushState(null, "", url);
    arrive(page, place);
  });
}

/** Follows the changes of the address by the browser's own buttons. */
export function watchAddress() {
  read();
  addEventListener("popstate", () => {
    const wanted = location.href;
    const [page] = parts();
    if (isChanged.value && page !== address.value) history.pushState(null, "", linkTo(address.value, anchor.value));
    guarded(page, () => {
      if (location.href !== wanted) history.pushState(null, "", wanted);
      read();
    });
  });
  addEventListener("beforeunload", (event) => {
    if (isChanged.value) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    const link = /** @type {Element} */ (event.target).closest?.("a");
    const prefix = linkTo("");
    if (!link || !isPlain || link.target || link.download || !link.href.startsWith(prefix)) return;
    event.preventDefault();
    const [page, place = ""] = link.href.slice(prefix.length).split("#");
    open(page, decoded(place));
  });
}

/** Calls `go`, which leaves the console. Asks first if there are changes. @param {() => void} go */
export function beforeLeaving(go) {
  guarded("", go);
}

/** Drops the changes and goes on. */
export function leave() {
  const go = held.value;
  held.value = null;
  discard();
  go?.();
}

/** Stays on the page. */
export function stay() {
  held.value = null;
}

/** @param {string} page @param {() => void} go */
function guarded(page, go) {
  if (isChanged.value && page !== address.value) held.value = go;
  else go();
}

function read() {
  const [page, place] = parts();
  arrive(page, place);
}

/** @param {string} page @param {string} place */
function arrive(page, place) {
  if (page !== address.value) clearPassing();
  address.value = page;
  anchor.value = place;
  arrivals.value += 1;
}

/** Returns page and place of the browser's address. @returns {[string, string]} */
function parts() {
  const below = location.pathname.slice(new URL(FOLDER, CONSOLE).pathname.length);
  const isBelow = location.pathname.startsWith(new URL(FOLDER, CONSOLE).pathname);
  return [isBelow ? decoded(below).replace(/\/$/, "") : "", decoded(location.hash.slice(1))];
}

/** Returns the text without its escapes; the text itself if one of them is broken. @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
