// The page that is open. Code of a page of its own is loaded now; the others are made from the settings.

import { html, useEffect, useSignal } from "../lib.js";
import { SettingsPage } from "../pages/settings.js";
import { TEXTS } from "../texts.js";
import { Loading } from "./loading.js";
import { PageFrame } from "./page_frame.js";

/** @param {{ entry: import("../state/menu.js").Entry }} props */
export function OpenPage({ entry }) {
  const loaded = useSignal(/** @type {any} */ (null));
  const isGone = useSignal(false);
  useEffect(() => {
    if (!entry.own) return;
    entry.own.load().then((module) => { loaded.value = { Page: module.Page }; }, () => { isGone.value = true; });
  }, []);
  if (!entry.own) return html`<${SettingsPage} address=${entry.address} />`;
  if (isGone.value) return html`<${Gone} title=${entry.label} />`;
  if (!loaded.value) return html`<${Loading} />`;
  return html`<${loaded.value.Page} address=${entry.address} />`;
}

/** Stands for a page whose code is not there any more, because the server is a newer one than the open page.
 * @param {{ title: string }} props */
function Gone({ title }) {
  return html`
    <${PageFrame} title=${title}>
      <p>${TEXTS.updated}</p>
      <button type="button" class="button is-primary" onClick=${() => location.reload()}>${TEXTS.reload}</button>
    <//>`;
}
