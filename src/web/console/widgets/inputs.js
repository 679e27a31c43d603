// The inputs for the types of settings. All have the ids and test ids that scripts know.

import { html, useSignal } from "../lib.js";
import { edit, shown } from "../state/edits.js";
import { choiceName, choicesOf } from "../state/choices.js";
import { asText, asValue, readable, unitOf } from "../state/values.js";
import { TEXTS } from "../texts.js";

/**
 * @typedef {object} InputProps
 * @property {import("../api/config.js").Setting} setting
 * @property {boolean} isLocked
 * @property {string} describedBy the ids of help and refusal
 * @property {boolean} isRefused
 */

const T = TEXTS.settings;

/** @param {InputProps} props */
export function Input(props) {
  const { setting } = props;
  if (setting.type === "bool") return html`<${YesNo} ...${props} />`;
  if (setting.type === "int") return html`<${NumberInput} ...${props} />`;
  if (setting.type === "string" && choicesOf(setting).length > 0) return html`<${Choice} ...${props} />`;
  if (setting.type === "string") return html`<${Text} ...${props} />`;
  return html`<${LongText} ...${props} />`;
}

/** @param {InputProps} props */
function YesNo({ setting: { path }, isLocked, describedBy }) {
  const value = shown(path) === true;
  const option = (/** @type {boolean} */ one, /** @type {string} */ text) => html`
    <label class="segment">
      <input type="radio" name=${path} data-testid=${`${path}${one}`} value=${String(one)} checked=${value === one}
        disabled=${isLocked} onChange=${() => edit(path, one)} />
      <span>${text}</span>
    </label>`;
  return html`
    <div id=${path} class="segments" role="radiogroup" aria-labelledby=${`${path}-label`}
        aria-describedby=${describedBy}>
      ${option(true, T.on)}${option(false, T.off)}
    </div>`;
}

/** @param {InputProps} props */
function NumberInput({ setting, isLocked, describedBy, isRefused }) {
  const { path } = setting;
  // The text as it is typed: `1.` and `007` are steps on the way to a number.
  const typed = useSignal("");
  const value = shown(path);
  const text = asValue(setting, typed.value) === value ? typed.value : asText(setting, value);
  const change = (/** @type {Event} */ event) => {
    typed.value = /** @type {HTMLInputElement} */ (event.target).value;
    edit(path, asValue(setting, typed.value));
  };
  const hint = readable(setting, value);
  return html`
    <div class="with-unit">
      <input id=${path} data-testid=${`${path}number`} class="input is-number" inputmode="decimal" autocomplete="off"
        value=${text} disabled=${isLocked} aria-describedby=${describedBy} aria-invalid=${isRefused ? "true" : null}
        onInput=${change} />
      <span class="unit">${unitOf(setting)}${hint && html` <span class="muted">= ${hint}</span>`}</span>
    </div>`;
}

/** @param {InputProps} props */
function Choice({ setting, isLocked, describedBy, isRefused }) {
  const { path } = setting;
  const choices = choicesOf(setting);
  const value = String(shown(path) ?? "");
  const all = choices.includes(value) ? choices : [value, ...choices];
  const change = (/** @type {Event} */ event) => edit(path, /** @type {HTMLSelectElement} */ (event.target).value);
  return html`
    <select id=${path} data-testid=${`${path}dropdown`} class="input is-choice" disabled=${isLocked}
        aria-describedby=${describedBy} aria-invalid=${isRefused ? "true" : null} onChange=${change}>
      ${all.map((choice) => html`
        <option key=${choice} value=${choice} selected=${choice === value}>${choiceName(path, choice)}</option>`)}
    </select>`;
}

/** @param {InputProps} props */
function Text({ setting, isLocked, describedBy, isRefused }) {
  const { path } = setting;
  const change = (/** @type {Event} */ event) => edit(path, /** @type {HTMLInputElement} */ (event.target).value);
  return html`
    <input id=${path} data-testid=${`${path}input`} class="input" autocomplete="off" spellcheck=${false}
      placeholder=${setting.example ?? ""} value=${asText(setting, shown(path))} disabled=${isLocked}
      aria-describedby=${describedBy} aria-invalid=${isRefused ? "true" : null} onInput=${change} />`;
}

/** @param {InputProps} props */
function LongText({ setting, isLocked, describedBy, isRefused }) {
  const { path } = setting;
  const typed = useSignal(/** @type {string | null} */ (null));
  const value = shown(path);
  const isTyped = typed.value !== null && JSON.stringify(asValue(setting, typed.value)) === JSON.stringify(value);
  const text = isTyped ? typed.value ?? "" : asText(setting, value);
  const change = (/** @type {Event} */ event) => {
    typed.value = /** @type {HTMLTextAreaElement} */ (event.target).value;
    edit(path, asValue(setting, typed.value));
  };
  const rows = Math.min(12, Math.max(2, text.split("\n").length));
  return html`
    <textarea id=${path} data-testid=${`${path}input`} class="input is-long" rows=${rows} spellcheck=${false}
      value=${text} disabled=${isLocked} aria-describedby=${describedBy} aria-invalid=${isRefused ? "true" : null}
      onInput=${change}></textarea>
    <span class="unit">${setting.type === "string[]" ? T.onePerLine : T.json}</span>`;
}
