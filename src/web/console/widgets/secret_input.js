// A secret: it is never shown, and there is no field for it until one is wanted. So no browser fills one in.

import { html, useEffect, useRef, useSignal } from "../lib.js";
import { discard, edit, isEdited, MASK, needsReentry, saved, shown, version } from "../state/edits.js";
import { storedSince } from "../state/confirmation.js";
import { TEXTS } from "../texts.js";
import { Time } from "./history_time.js";
import { Icon } from "./icon.js";

const T = TEXTS.secret;

/** @param {import("./inputs.js").InputProps} props */
export function SecretInput({ setting, isLocked, describedBy, isRefused }) {
  const { path } = setting;
  const isTyping = useSignal(false);
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const isStored = saved(path) === MASK;
  const isNew = isEdited(path) && shown(path) !== "";
  const isCleared = isEdited(path) && shown(path) === "" && isStored;
  const isOpen = isTyping.value || isNew;
  useEffect(() => {
    if (isTyping.value) field.current?.focus();
  }, [isTyping.value]);

  // Once it is saved, the field goes.
  useEffect(() => {
    isTyping.value = false;
  }, [version.value]);

  const stop = () => {
    isTyping.value = false;
    discard(path);
  };
  const clear = () => {
    isTyping.value = false;
    edit(path, "");
  };
  const typed = (/** @type {Event} */ event) => {
    const text = /** @type {HTMLInputElement} */ (event.target).value;
    if (text === "" && isStored) discard(path);
    else edit(path, text);
  };
  const state = isCleared ? T.isCleared : isNew ? T.isNew : isStored ? T.isSet : T.isUnset;
  const again = needsReentry(setting);
  const since = isStored && !isEdited(path) ? storedSince(path) : null;
  return html`
    <div class="secret">
      <span class=${isStored && !isCleared ? "badge is-good" : "badge"} data-testid=${`${path}state`}>${state}</span>
      ${since && html`<span class="muted" data-testid=${`${path}since`}>${since.fingerprint}, ${T.since} <${Time} ms=${since.at} /></span>`}
      ${isOpen && html`
        <input ref=${field} id=${path} data-testid=${`${path}input`} class="input" type="password"
          aria-label=${setting.label}
          autocomplete="new-password" data-1p-ignore data-lpignore="true" spellcheck=${false}
          value=${isEdited(path) ? shown(path) : ""} aria-describedby=${describedBy}
          aria-invalid=${isRefused ? "true" : null} onInput=${typed} />`}
      ${!isOpen && !isLocked && html`
        <button type="button" class="button is-small" id=${isCleared ? null : path} aria-describedby=${describedBy}
            aria-label=${`${isStored ? T.replace : T.enter}: ${setting.label}`}
            onClick=${() => { isTyping.value = true; }}>
          ${isStored ? T.replace : T.enter}
        </button>`}
      ${isStored && !isOpen && !isCleared && !isLocked && html`
        <button type="button" class="button is-small is-quiet" aria-label=${`${T.clear}: ${setting.label}`}
          onClick=${clear}>${T.clear}</button>`}
      ${(isOpen || isCleared) && html`
        <button type="button" class="button is-small is-quiet" onClick=${stop}>
          ${isStored ? T.undo : TEXTS.cancel}</button>`}
    </div>
    ${again && html`
      <p class="alert alert-warning" data-testid=${`${path}again`}><${Icon} name="warning" />${T.again}</p>`}`;
}
