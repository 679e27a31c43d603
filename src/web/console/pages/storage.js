// The pages of file storage and export storage: a driver, its settings, and a test of what is on the screen.

import { html, useMemo } from "../lib.js";
import { isInUse, shown } from "../state/edits.js";
import { entryOf } from "../state/menu.js";
import { anchor } from "../state/router.js";
import { isReadOnly, settingAt, settingsOf } from "../state/schema.js";
import { may } from "../state/session.js";
import { copyFromFiles, isMoved, pathIn, PRESETS, StoreTest, usePreset } from "../state/storage.js";
import { Icon } from "../widgets/icon.js";
import { SettingRow } from "../widgets/setting_row.js";
import { StoreTestRow } from "../widgets/store_test.js";
import { SettingGroups, SettingsFrame } from "./settings.js";
import { STORAGE as T } from "./storage_texts.js";

/** @typedef {import("../state/storage.js").Place} Place */

const DEDICATED = "FileSettings.DedicatedExportStore";

/** @param {{ address: string }} props */
export function Page({ address }) {
  const isExport = address.endsWith("export_storage");
  const place = /** @type {Place} */ (isExport ? { store: "export", prefix: "Export" } : { store: "files", prefix: "" });
  const test = useMemo(() => new StoreTest(place), [address]);
  const entry = entryOf(address);
  return html`
    <${SettingsFrame} title=${entry?.label ?? ""} category=${entry?.category ?? ""}>
      <${Body} address=${address} place=${place} test=${test} />
    <//>`;
}

/** @param {{ address: string, place: Place, test: StoreTest }} props */
function Body({ address, place, test }) {
  const settings = settingsOf(address);
  const driver = pathIn(place, "DriverName");
  const isOfStore = (/** @type {string} */ path) =>
    path.startsWith("FileSettings.") && new RegExp(`[.]${place.prefix}(Directory$|AmazonS3|Azure)`).test(path);
  const isMeant = (/** @type {string} */ path) => anchor.value === path;
  const own = settings.filter(({ path }) => isOfStore(path));
  const fields = own.filter((setting) => isInUse(setting) || isMeant(setting.path));
  const rest = settings.filter(({ path }) => !isOfStore(path) && path !== driver && path !== DEDICATED);
  const isExport = place.prefix !== "";
  const isOn = !isExport || shown(DEDICATED) === true;
  const rowOf = (/** @type {string} */ path) => {
    const setting = settingAt(path);
    return setting && html`<${SettingRow} key=${path} setting=${setting} />`;
  };
  return html`
    <section class="card rows" aria-label=${isExport ? T.whereExports : T.where}>
      ${isExport && rowOf(DEDICATED)}
      ${isExport && !isOn && html`<p class="row is-note help">${T.oneStore}</p>`}
      ${(isOn || isMeant(driver)) && rowOf(driver)}
      ${isOn && !isReadOnly(address) && html`<${Fillers} place=${place} driver=${String(shown(driver))} />`}
      ${fields.map((setting) => html`<${SettingRow} key=${setting.path} setting=${setting} />`)}
      ${isOn && html`
        ${isMoved(place) && html`
          <p class="row is-note alert alert-warning" data-testid="moved"><${Icon} name="warning" />${T.moved}</p>`}
        ${may("test_s3") && html`<${StoreTestRow} test=${test} id=${`${place.prefix}TestFileStoreConnection`} />`}`}
    </section>
    <${SettingGroups} settings=${rest} title=${isExport ? "" : T.limits} />`;
}

/** The buttons that fill fields in: values of providers, and those of the other store.
 * @param {{ place: Place, driver: string }} props */
function Fillers({ place, driver }) {
  const presets = PRESETS.filter((preset) => preset.driver === driver);
  const isExport = place.prefix !== "";
  if (presets.length === 0 && !isExport) return null;
  return html`
    <div class="row">
      <div class="row-head"><span class="label" id="fillers">${T.fill}</span></div>
      <div class="row-body">
        <div class="fillers" role="group" aria-labelledby="fillers">
          ${presets.map((preset) => html`
            <button key=${preset.name} type="button" class="button is-small" data-testid="preset-${preset.name}"
              onClick=${() => usePreset(place, preset)}>${preset.name}</button>`)}
          ${isExport && html`
            <button type="button" class="button is-small" data-testid="copyFromFiles" onClick=${copyFromFiles}>
              <${Icon} name="copy" />${T.copyFrom}</button>`}
        </div>
        <p class="help">${presets.length > 0 ? T.fillHelp : T.copyHelp}</p>
      </div>
    </div>`;
}
