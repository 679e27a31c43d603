// Edition and licence: what is in force, what it allows, and its replacement, removal, or a trial.

import { licenseInForce } from "../api/dashboard.js";
import * as api from "../api/license.js";
import { html, useEffect, useSignal } from "../lib.js";
import { shown } from "../state/edits.js";
import { entryOf } from "../state/menu.js";
import { tell, tellFailure } from "../state/notices.js";
import { settingsOf } from "../state/schema.js";
import { may } from "../state/session.js";
import { TEXTS } from "../texts.js";
import { When } from "../widgets/dashboard_when.js";
import { Trial } from "../widgets/dashboard_trial.js";
import { Dialog } from "../widgets/dialog.js";
import { Awaited } from "../widgets/loading.js";
import { LICENSE as T } from "./license_texts.js";
import { SettingGroups, SettingsFrame } from "./settings.js";

/** @typedef {Record<string, string>} License */

const TIMES = ["StartsAt", "ExpiresAt", "IssuedAt"];

const NUMBER = new Intl.NumberFormat();

/** @param {{ address: string }} props */
export function Page({ address }) {
  const entry = entryOf(address);
  const license = useSignal(/** @type {License | null} */ (null));
  const hasFailed = useSignal(false);
  const look = async () => {
    hasFailed.value = false;
    try {
      license.value = await licenseInForce();
    } catch (cause) {
      hasFailed.value = true;
      tellFailure(cause);
    }
  };
  useEffect(() => { look(); }, []);
  const isRestricted = shown("ExperimentalSettings.RestrictSystemAdmin") === true;
  const mayChange = may("manage_license_information") && !isRestricted;
  return html`
    <${SettingsFrame} title=${entry?.label ?? ""} category=${entry?.category ?? ""}>
      <${Edition} />
      ${license.value
        ? html`<${InForce} license=${license.value} mayChange=${mayChange} again=${look} />`
        : html`<section class="card dash-part"><h2>${T.license}</h2><${Awaited} hasFailed=${hasFailed.value} again=${look} /></section>`}
      ${mayChange ? html`
        <${Upload} again=${look} />
        ${license.value?.IsLicensed === "false" && html`<${Trial} again=${look} />`}`
        : html`<p class="help page-note">${isRestricted ? T.restricted : T.readOnly}</p>`}
      <${SettingGroups} settings=${settingsOf(address)} title=${T.settings} />
    <//>`;
}

function Edition() {
  const facts = useSignal(/** @type {[string, string][]} */ ([]));
  useEffect(() => {
    Promise.all([api.edition(), api.limits()]).then(([{ version, api: contract }, limits]) => {
      const { maxUsersHardLimit: most, activeUserCount: used } = limits;
      const seesCount = may("manage_system") && may("sysconsole_read_user_management_users");
      const accounts = most > 0 ? T.accountsOf(NUMBER.format(used), NUMBER.format(most)) : NUMBER.format(used);
      facts.value = [[T.version, version], [T.api, contract], ...(seesCount ? [/** @type {[string, string]} */ ([T.accounts, accounts])] : [])];
    }, tellFailure);
  }, []);
  return html`
    <section class="card dash-part" data-testid="edition">
      <h2>${T.edition}</h2>
      <dl class="dash-facts">${facts.value.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    </section>`;
}

/** @param {{ license: License, mayChange: boolean, again: () => Promise<void> }} props */
function InForce({ license, mayChange, again }) {
  const load = useSignal(/** @type {number | null} */ (null));
  const isAsking = useSignal(false);
  const isThere = license.IsLicensed === "true";
  useEffect(() => {
    load.value = null;
    if (isThere) api.load().then((part) => { load.value = part.load; }, tellFailure);
  }, [license.Id]);
  const isExpired = Number(license.ExpiresAt) < Date.now();
  const features = Object.keys(license).filter((name) => /^(true|false)$/.test(license[name]) && !/^Is(Licensed|Trial|GovSku)$/.test(name));
  const isShown = (/** @type {string} */ name) =>
    Boolean(license[name]) && !(name === "SkuShortName" && license.SkuName === license.SkuShortName);
  const named = (/** @type {string} */ value) => features.filter((name) => license[name] === value);
  if (!isThere) {
    return html`<section class="card dash-part" data-testid="license"><h2>${T.license}</h2><p>${T.none}</p></section>`;
  }
  return html`
    <section class="card dash-part" data-testid="license">
      <div class="dash-line"><h2>${T.license}</h2>
        ${license.IsTrial === "true" && html`<span class="badge is-changed">${T.trial}</span>`}
        ${isExpired && html`<span class="badge is-bad">${T.expired}</span>`}</div>
      <dl class="dash-facts">
        ${Object.keys(T.facts).filter(isShown).map((name) => html`
          <dt>${T.facts[name]}</dt>
          <dd>${TIMES.includes(name) ? html`<${When} at=${Number(license[name])} isDay=${true} />` : license[name]}</dd>`)}
        ${load.value !== null && html`<dt>${T.load}</dt><dd>${T.percent(load.value)}</dd>`}
      </dl>
      <h3>${T.allows}</h3>
      ${named("true").length > 0 ? html`<${Features} names=${named("true")} isIn=${true} />` : html`<p>${T.allowsNothing}</p>`}
      ${named("false").length > 0 && html`
        <details class="more"><summary><span>${T.denies}</span> ${named("false").length}</summary>
          <${Features} names=${named("false")} isIn=${false} /></details>`}
      ${mayChange && html`<div class="dash-line">
        <button type="button" class="button" data-testid="removeLicense" onClick=${() => { isAsking.value = true; }}>${T.remove}</button></div>`}
      ${isAsking.value && html`
        <${Removal} name=${license.SkuName || license.SkuShortName} close=${() => { isAsking.value = false; }} again=${again} />`}
    </section>`;
}

/** @param {{ names: string[], isIn: boolean }} props */
function Features({ names, isIn }) {
  const text = (/** @type {string} */ name) => name.replaceAll(/([a-z\d])([A-Z])/g, "$1 $2");
  return html`<ul class="dash-features">${names.map((name) => html`
    <li key=${name} class=${isIn ? "badge is-good" : "badge"}>${text(name)}</li>`)}</ul>`;
}

/** @param {{ name: string, close: () => void, again: () => Promise<void> }} props */
function Removal({ name, close, again }) {
  const isWorking = useSignal(false);
  const remove = async () => {
    isWorking.value = true;
    try {
      await api.remove();
      tell("success", T.removed);
    } catch (cause) {
      tellFailure(cause);
    }
    close();
    await again();
  };
  return html`
    <${Dialog} title=${T.removeTitle} onClose=${close} actions=${html`
      <button type="button" class="button" onClick=${close}>${TEXTS.cancel}</button>
      <button type="button" class="button is-danger" data-testid="confirmRemoval" disabled=${isWorking.value} onClick=${remove}>
        ${T.remove}</button>`}>
      <p>${T.removeText(name)}</p>
    <//>`;
}

/** @param {{ again: () => Promise<void> }} props */
function Upload({ again }) {
  const file = useSignal(/** @type {File | null} */ (null));
  const isWorking = useSignal(false);
  const install = async (/** @type {any} */ event) => {
    event.preventDefault();
    const form = event.currentTarget;
    if (!file.value) return;
    isWorking.value = true;
    try {
      await api.install(file.value);
      tell("success", T.installed);
      form.reset();
      file.value = null;
    } catch (cause) {
      tellFailure(cause, T.refused);
    }
    isWorking.value = false;
    await again();
  };
  return html`
    <section class="card dash-part" data-testid="upload">
      <h2>${T.upload}</h2>
      <p class="help" id="licenseHelp">${T.uploadHelp}</p>
      <form class="dash-line" onSubmit=${install}>
        <label class="unseen" for="licenseFile">${T.file}</label>
        <input type="file" id="licenseFile" class="input" aria-describedby="licenseHelp"
          onChange=${(/** @type {any} */ event) => { file.value = event.target.files[0] ?? null; }} />
        <button type="submit" class="button" disabled=${!file.value || isWorking.value}>
          ${isWorking.value ? T.installing : T.install}</button>
      </form>
    </section>`;
}
