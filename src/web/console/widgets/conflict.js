// The comparison after another change was saved first: yours, theirs, and the value before both.

import { html, useSignal } from "../lib.js";
import { isSame } from "../state/edits.js";
import { conflict, postpone, resolve } from "../state/saving.js";
import { settingAt } from "../state/schema.js";
import { asLine } from "../state/values.js";
import { TEXTS } from "../texts.js";
import { Dialog } from "./dialog.js";

const T = TEXTS.conflict;

/** @typedef {"yours" | "theirs" | "before"} Side */

const SIDES = /** @type {const} */ (["yours", "theirs", "before"]);

export function ConflictDialog() {
  const open = conflict.value;
  return open && html`<${Comparison} open=${open} />`;
}

/** @param {{ open: import("../state/saving.js").Conflict }} props */
function Comparison({ open }) {
  const chosen = useSignal(/** @type {Record<string, Side>} */ ({}));
  const sideOf = (/** @type {string} */ path) => chosen.value[path] ?? "yours";
  const use = () => resolve(new Map(open.rows.map((row) => [row.path, row[sideOf(row.path)]])));
  return html`
    <${Dialog} id="conflict" isWide title=${T.title} onClose=${postpone} actions=${html`
        <button type="button" class="button" onClick=${postpone}>${TEXTS.cancel}</button>
        <button type="button" class="button is-primary" id="resolveConflict" onClick=${use}>${T.use}</button>`}>
      <p>${T.lead}</p>
      <table class="conflict">
        <thead><tr><th>${T.setting}</th>${SIDES.map((side) => html`<th>${T[side]}</th>`)}</tr></thead>
        <tbody>
          ${open.rows.map((row) => html`
            <tr key=${row.path} data-testid=${`${row.path}conflict`}>
              <th scope="row">${settingAt(row.path)?.label ?? row.path}</th>
              ${SIDES.map((side) => html`
                <td data-label=${T[side]}>
                  <label class="pick">
                    <input type="radio" name=${`conflict-${row.path}`} value=${side} checked=${sideOf(row.path) === side}
                      onChange=${() => { chosen.value = { ...chosen.value, [row.path]: side }; }} />
                    <span class=${side === "theirs" && !isSame(row.theirs, row.before) ? "is-different" : ""}>
                      ${text(row.path, row[side])}</span>
                  </label>
                </td>`)}
            </tr>`)}
        </tbody>
      </table>
      ${open.others.length > 0 && html`<p class="help">${T.others} ${open.others.join(", ")}</p>`}
    <//>`;
}

/** @param {string} path @param {any} value */
function text(path, value) {
  const setting = settingAt(path);
  if (setting?.secret) return value ? TEXTS.secret.hidden : TEXTS.secret.isUnset;
  return asLine(setting, value) || TEXTS.settings.isEmpty;
}
