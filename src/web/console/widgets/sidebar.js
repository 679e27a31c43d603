// The menu with its search. The search goes over names, labels and help of all settings, and leads to the row.

import { html, useEffect, useRef, useSignal } from "../lib.js";
import { categories, entryOf, searchPages } from "../state/menu.js";
import { address, linkTo } from "../state/router.js";
import { search } from "../state/schema.js";
import { TEXTS } from "../texts.js";
import { Icon } from "./icon.js";

const MAX_RESULTS = 60;

export function Sidebar() {
  const query = useSignal("");
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    const isWide = matchMedia("(min-width: 900px)").matches;
    if (isWide && !location.hash) field.current?.focus({ preventScroll: true });
  }, []);
  const typed = (/** @type {Event} */ event) => {
    query.value = /** @type {HTMLInputElement} */ (event.target).value;
  };
  const pressed = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") query.value = "";
    if (event.key === "Enter") /** @type {HTMLElement | null} */ (document.querySelector(".sidebar .result"))?.click();
  };
  const isSearching = query.value.trim() !== "";
  return html`
    <nav id="sidebar" class="sidebar" data-testid="admin-sidebar" aria-label=${TEXTS.console}>
      <div class="search">
        <${Icon} name="search" />
        <input ref=${field} id="adminSidebarFilter" class="input" type="search" placeholder=${TEXTS.find}
          aria-label=${TEXTS.find} autocomplete="off" spellcheck=${false} value=${query.value} onInput=${typed}
          onKeyDown=${pressed} />
      </div>
      <div class="sidebar-list">
        ${isSearching ? html`<${Results} query=${query.value} />` : html`<${Menu} />`}
      </div>
    </nav>`;
}

function Menu() {
  return categories.value.map((category) => html`
    <section key=${category.key} data-testid=${category.key}>
      <h2>${category.label}</h2>
      <ul>
        ${category.pages.map((page) => html`
          <li key=${page.address}>
            <a id=${page.address} href=${linkTo(page.address)}
              aria-current=${page.address === address.value ? "page" : null}>${page.label}</a>
          </li>`)}
      </ul>
    </section>`);
}

/** @param {{ query: string }} props */
function Results({ query }) {
  const pages = searchPages(query);
  const settings = search(query);
  const count = pages.length + settings.length;
  return html`
    <p class="results-count" role="status">${count > 0 ? TEXTS.found(count) : TEXTS.nothingFound(query.trim())}</p>
    ${pages.length > 0 && html`
      <ul class="results">
        ${pages.map((page) => html`
          <li><a class="result" href=${linkTo(page.address)}>
            <span>${page.label}</span><span class="result-page">${page.category}</span></a></li>`)}
      </ul>`}
    <ul class="results">
      ${settings.slice(0, MAX_RESULTS).map((setting) => html`
        <li key=${setting.path}><a class="result" href=${linkTo(setting.page, setting.path)}>
          <span>${setting.label}</span>
          <span class="result-page">${entryOf(setting.page)?.label}</span>
          <code>${setting.path}</code></a></li>`)}
    </ul>`;
}
