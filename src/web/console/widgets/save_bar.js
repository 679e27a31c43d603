// The bar at the end of a page of settings: what would be saved, and the buttons.

import { html, useComputed, useSignal } from "../lib.js";
import { saveChoice } from "../state/confirmation.js";
import { discard, edits, isChanged, saved } from "../state/edits.js";
import { fetchFingerprints, fingerprints, hasChangedSecret } from "../state/fingerprints.js";
import { linkTo } from "../state/router.js";
import { comment, isSaving, refused, save } from "../state/saving.js";
import { settingAt } from "../state/schema.js";
import { asLine } from "../state/values.js";
import { TEXTS } from "../texts.js";
import { ConfirmOption } from "./history_option.js";
import { Icon } from "./icon.js";

const T = TEXTS.save;

export function SaveBar() {
  const isOpen = useSignal(true);
  const count = edits.value.size;
  const list = useComputed(() => [...edits.value]);
  return html`
    <section class=${isChanged.value ? "save-bar is-open" : "save-bar"} aria-label=${T.bar}>
      <${Refused} />
      ${count > 0 && isOpen.value && html`
        <div class="difference" data-testid="difference" tabindex="0" role="region" aria-label=${T.difference}>
          <table>
            <thead><tr><th>${T.setting}</th><th>${T.old}</th><th>${T.new}</th><th>${T.applies}</th></tr></thead>
            <tbody>${list.value.map(([path, value]) => html`<${Line} key=${path} path=${path} value=${value} />`)}</tbody>
          </table>
        </div>
        <input class="input comment" aria-label=${T.comment} placeholder=${T.comment} maxlength="1024"
          data-testid="comment" value=${comment.value}
          onInput=${(/** @type {any} */ event) => { comment.value = event.target.value; }} />`}
      ${count > 0 && html`<${ConfirmOption} choice=${saveChoice} paths=${list.value.map(([path]) => path)} />`}
      <div class="save-line">
        <button type="button" id="saveSetting" data-testid="saveSetting" class="button is-primary"
            disabled=${!isChanged.value || isSaving.value} onClick=${save}>
          ${isSaving.value ? T.saving : T.save}
        </button>
        <button type="button" class="button is-quiet" disabled=${!isChanged.value || isSaving.value}
          onClick=${() => discard()}>${T.discard}</button>
        <span class="save-count" role="status">${count > 0 ? T.count(count) : T.none}</span>
        ${count > 0 && html`
          <button type="button" class="link" aria-expanded=${isOpen.value}
            onClick=${() => { isOpen.value = !isOpen.value; }}>${isOpen.value ? T.hide : T.show}</button>
          ${hasChangedSecret() && isOpen.value && html`
            <button type="button" class="link" data-testid="fingerprints" onClick=${fetchFingerprints}>
              ${T.fingerprints}</button>`}`}
      </div>
    </section>`;
}

/** @param {{ path: string, value: any }} props */
function Line({ path, value }) {
  const setting = settingAt(path);
  const side = (/** @type {any} */ one, /** @type {string} */ secret) =>
    setting?.secret ? secret : asLine(setting, one) || TEXTS.settings.isEmpty;
  const isStored = Boolean(saved(path));
  const known = fingerprints.value.get(path);
  const [before, after] = [known?.before || TEXTS.secret.isSet, known?.after || TEXTS.secret.isNew];
  return html`
    <tr>
      <th scope="row"><a href=${linkTo(setting?.page ?? "", path)}>${setting?.label ?? path}</a></th>
      <td data-label=${T.old}><del>${side(saved(path), isStored ? before : TEXTS.secret.isUnset)}</del></td>
      <td data-label=${T.new}><ins>${side(value, value ? after : TEXTS.secret.isCleared)}</ins></td>
      <td data-label=${T.applies}>${TEXTS.settings[setting?.applies ?? "now"]}</td>
    </tr>`;
}

function Refused() {
  const all = refused();
  return all.length > 0 && html`
    <div class="refused" role="alert">
      <p><${Icon} name="error" />${T.invalid}</p>
      <ul>${all.map(({ path, label, message }) => html`
        <li><a href=${linkTo(settingAt(path)?.page ?? "", path)}>${label}</a>: ${message}</li>`)}</ul>
    </div>`;
}
