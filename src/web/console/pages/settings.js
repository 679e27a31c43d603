// A page of settings, made from their description.

import { html, useEffect, useSignal } from "../lib.js";
import { isEdited, isInUse, isLoaded, load, loadFailed } from "../state/edits.js";
import { entryOf } from "../state/menu.js";
import { tellFailure } from "../state/notices.js";
import { address, anchor } from "../state/router.js";
import { isReadOnly, settingsOf } from "../state/schema.js";
import { TEXTS } from "../texts.js";
import { ConflictDialog } from "../widgets/conflict.js";
import { Icon } from "../widgets/icon.js";
import { Awaited } from "../widgets/loading.js";
import { PageFrame } from "../widgets/page_frame.js";
import { SaveBar } from "../widgets/save_bar.js";
import { SettingRow } from "../widgets/setting_row.js";

const T = TEXTS.settings;

/** @param {{ address: string }} props */
export function SettingsPage({ address: page }) {
  const entry = entryOf(page);
  const settings = settingsOf(page);
  return html`
    <${SettingsFrame} title=${entry?.label ?? ""} category=${entry?.category ?? ""}>
      <${SettingGroups} settings=${settings} />
    <//>`;
}

/** The frame of a page with settings: it waits for the configuration, and ends with the bar that saves.
 * @param {{ title: string, category: string, lead?: any, children?: any }} props */
export function SettingsFrame({ title, category, lead, children }) {
  useEffect(() => {
    load().catch(() => {});
  }, []);
  const readOnly = isReadOnly(address.value);
  return html`
    <${PageFrame} title=${title} category=${category} lead=${lead}>
      ${readOnly && html`<p class="alert page-note"><${Icon} name="lock" />${T.readOnlyPage}</p>`}
      ${isLoaded.value ? children : html`<${Awaited} hasFailed=${loadFailed.value} again=${() => load().catch(tellFailure)} />`}
      ${isLoaded.value && !readOnly && html`<${SaveBar} /><${ConflictDialog} />`}
    <//>`;
}

/** The settings that the server acts on, and behind a button those that it only stores.
 * @param {{ settings: import("../api/config.js").Setting[], title?: string }} props */
export function SettingGroups({ settings, title = "" }) {
  const isMeant = (/** @type {{ path: string }} */ { path }) => anchor.value === path;
  // A setting without effect now is shown only if a link leads to it or it is changed.
  const visible = settings.filter((one) => isInUse(one) || isMeant(one) || isEdited(one.path));
  const used = visible.filter((setting) => setting.acted_on);
  const others = visible.filter((setting) => !setting.acted_on);
  return html`
    ${visible.length === 0 && html`<p class="help">${T.nothingHere}</p>`}
    ${used.length > 0 && html`
      <section class="card rows" aria-label=${title || null}>
        ${title && html`<h2>${title}</h2>`}
        ${used.map((setting) => html`<${SettingRow} key=${setting.path} setting=${setting} />`)}
      </section>`}
    ${others.length > 0 && html`<${Others} settings=${others} isAlone=${used.length === 0} />`}`;
}

/** @param {{ settings: import("../api/config.js").Setting[], isAlone: boolean }} props */
function Others({ settings, isAlone }) {
  const isChosen = useSignal(false);
  const needsOpen = settings.some(({ path }) => anchor.value === path || isEdited(path));
  const isOpen = isAlone || isChosen.value || needsOpen;
  return html`
    <section class="card rows is-other">
      <header class="card-head">
        <div><h2>${T.othersTitle}</h2><p class="help">${T.othersLead}</p></div>
        ${!isAlone && html`
          <button type="button" class="button is-small" aria-expanded=${isOpen} disabled=${needsOpen}
              onClick=${() => { isChosen.value = !isChosen.value; }}>
            ${isOpen ? T.hide : T.show(settings.length)}
          </button>`}
      </header>
      ${isOpen && settings.map((setting) => html`<${SettingRow} key=${setting.path} setting=${setting} />`)}
    </section>`;
}
