// A table of changed settings, before and after, with links to the settings.

import { html, useSignal } from "../lib.js";
import { HISTORY as T } from "../pages/history_texts.js";
import { linkTo } from "../state/router.js";
import { settingAt } from "../state/schema.js";
import { asLine } from "../state/values.js";
import { TEXTS } from "../texts.js";

/** The number of settings that are shown at first. */
const MAX_SHOWN = 50;

/** @param {{ changes: import("../api/history.js").Change[], before?: string, after?: string }} props
 *   `before` and `after`: the headings of the values */
export function ChangeTable({ changes, before = T.before, after = T.after }) {
  const isWhole = useSignal(false);
  const shown = isWhole.value ? changes : changes.slice(0, MAX_SHOWN);
  return html`
    <div class="change-table">
      <table>
        <thead><tr><th scope="col">${T.setting}</th><th scope="col">${before}</th><th scope="col">${after}</th></tr></thead>
        <tbody>
          ${shown.map((change) => html`
            <tr key=${change.path} data-testid=${`${change.path}change`}>
              <th scope="row"><${Name} path=${change.path} /></th>
              <td data-label=${before}><del>${valueOf(change.path, change.before)}</del></td>
              <td data-label=${after}><ins>${valueOf(change.path, change.after)}</ins></td>
            </tr>`)}
        </tbody>
      </table>
      ${shown.length < changes.length && html`
        <button type="button" class="link" onClick=${() => { isWhole.value = true; }}>${T.showAll(changes.length)}</button>`}
    </div>`;
}

/** Returns the label of a setting; its path if it has none. @param {string} path */
export function labelOf(path) {
  return settingAt(path)?.label ?? path;
}

/** @param {{ path: string }} props */
function Name({ path }) {
  const setting = settingAt(path);
  return setting
    ? html`<a href=${linkTo(setting.page, path)}>${setting.label}</a> <code>${path}</code>`
    : html`<code>${path}</code>`;
}

/** @param {string} path @param {any} value */
function valueOf(path, value) {
  const setting = settingAt(path);
  if (value === null || value === undefined) return TEXTS.settings.unset;
  if (setting?.secret) return value ? String(value) : TEXTS.secret.isUnset;
  if (!setting && typeof value === "string") return value || TEXTS.settings.isEmpty;
  return asLine(setting, value) || TEXTS.settings.isEmpty;
}
