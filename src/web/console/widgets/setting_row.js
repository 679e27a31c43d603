// A row of a page: one setting with its label, its input, its help, and what is special about it.

import { html, useEffect, useRef } from "../lib.js";
import { discard, edit, isEdited, isSame, refusals, shown } from "../state/edits.js";
import { anchor, arrivals } from "../state/router.js";
import { isPart, isReadOnly } from "../state/schema.js";
import { asLine } from "../state/values.js";
import { TEXTS } from "../texts.js";
import { Icon } from "./icon.js";
import { Input } from "./inputs.js";
import { SecretInput } from "./secret_input.js";

/** @typedef {import("../api/config.js").Setting} Setting */

const T = TEXTS.settings;

/** @param {{ setting: Setting, label?: string }} props */
export function SettingRow({ setting, label = setting.label }) {
  const { path } = setting;
  const row = useRef(/** @type {HTMLElement | null} */ (null));
  const isMeant = anchor.value === path;
  useEffect(() => {
    if (isMeant && row.current) lead(row.current, path);
  }, [isMeant, arrivals.value]);

  const isLocked = !setting.writable;
  const refusal = refusals.value.get(path) ?? "";
  const [help, message] = [`${path}-help`, `${path}-refusal`];
  const describedBy = refusal ? `${message} ${help}` : help;
  const isEditable = !isPart(setting);
  const props = { setting, isLocked, describedBy, isRefused: refusal !== "" };
  const changed = isEdited(path);
  // A group of choices and a secret are no inputs that a label could name.
  const isInput = isEditable && setting.type !== "bool" && !setting.secret;
  return html`
    <div ref=${row} class=${`row${changed ? " is-changed" : ""}${isMeant ? " is-meant" : ""}`} data-testid=${path}
        tabindex="-1">
      <div class="row-head">
        ${isInput
          ? html`<label id=${`${path}-label`} for=${path}>${label}</label>`
          : html`<span class="label" id=${`${path}-label`}>${label}</span>`}
        <${Marks} setting=${setting} isChanged=${changed} />
      </div>
      <div class="row-body">
        ${isEditable && (setting.secret ? html`<${SecretInput} ...${props} />` : html`<${Input} ...${props} />`)}
        ${refusal && html`<p class="refusal" id=${message}><${Icon} name="error" />${refusal}</p>`}
        <${Locked} setting=${setting} />
        <p class="help" id=${help} data-testid=${`${path}help-text`}>
          ${setting.help}${!isEditable && html` ${T.partOf}`}
        </p>
        <${More} setting=${setting} isLocked=${isLocked} />
      </div>
    </div>`;
}

/** @param {{ setting: Setting, isChanged: boolean }} props */
function Marks({ setting, isChanged }) {
  return html`
    <span class="marks">
      ${isChanged && html`<span class="badge is-changed">${T.changed}</span>
        <button type="button" class="link" aria-label=${`${T.undo}: ${setting.label}`}
          onClick=${() => discard(setting.path)}>${T.undo}</button>`}
      ${setting.applies !== "now" && setting.acted_on && html`<span class="badge">${T[setting.applies]}</span>`}
    </span>`;
}

/** Says why a setting cannot be changed. @param {{ setting: Setting }} props */
function Locked({ setting }) {
  if (setting.pinned_by) {
    return html`
      <p class="alert alert-warning"><${Icon} name="lock" />${T.pinned(setting.pinned_by)}</p>`;
  }
  return setting.writable || isReadOnly(setting.page) ? null : html`<p class="alert"><${Icon} name="lock" />${T.readOnly}</p>`;
}

/** @param {{ setting: Setting, isLocked: boolean }} props */
function More({ setting, isLocked }) {
  const value = shown(setting.path);
  const isStandard = setting.secret || isSame(value, setting.default);
  const standard = asLine(setting, setting.default) || T.isEmpty;
  const lines = [
    [T.example, setting.example],
    [T.empty, setting.empty],
    [T.mistake, setting.mistake],
    [T.standard, setting.secret || isPart(setting) ? undefined : standard],
  ].filter(([, text]) => text);
  return html`
    <details class="more">
      <summary><span>${setting.example || setting.mistake ? T.more : T.details}</span> <code>${setting.path}</code></summary>
      <dl>${lines.map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>
      ${!isStandard && !isLocked && !isPart(setting) && html`
        <button type="button" class="link" onClick=${() => edit(setting.path, setting.default)}>
          ${T.useStandard}</button>`}
    </details>`;
}

/** Scrolls to a row that a link meant, and gives the focus to its input. @param {HTMLElement} row @param {string} path */
function lead(row, path) {
  row.scrollIntoView({ block: "center" });
  const input = document.getElementById(path) ?? row;
  const fields = ":is(input, select, textarea, button):enabled";
  const target = input.matches(fields) ? input : input.querySelector("input:checked:enabled, input:enabled") ?? row;
  /** @type {HTMLElement} */ (target).focus({ preventScroll: true });
}
