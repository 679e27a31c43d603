// A version of the configuration in the list: its time, author and reason, and its changes.

import { html, useSignal } from "../lib.js";
import { HISTORY as T } from "../pages/history_texts.js";
import { nameOf } from "../state/people.js";
import { ChangeTable, labelOf } from "./history_changes.js";
import { Icon } from "./icon.js";
import { Time, timeText } from "./history_time.js";

/** The number of settings that the summary names. */
const MAX_NAMED = 3;

/**
 * @param {{ version: import("../api/history.js").Version, isChosen: boolean, onChoose: () => void,
 *   onRollBack: () => void }} props
 */
export function VersionRow({ version, isChosen, onChoose, onRollBack }) {
  const time = timeText(version.create_at);
  return html`
    <li class=${version.is_active ? "version is-active" : "version"} data-testid="version" data-version=${version.id}>
      <input type="checkbox" aria-label=${T.select(time)} checked=${isChosen} onChange=${onChoose} />
      <div class="version-body">
        <p class="version-head">
          <strong><${Time} ms=${version.create_at} /></strong>
          <span>${authorOf(version)}</span>
          ${version.ip_address && html`<span class="muted">${T.from} ${version.ip_address}</span>`}
          <span class="muted">${T.sources[version.source] ?? version.source}</span>
          ${version.is_active && html`<span class="badge is-good"><${Icon} name="check" />${T.inForce}</span>`}
          ${version.confirmation && html`<span class="badge is-warn"><${Icon} name="warning" />${T.waits}</span>`}
        </p>
        ${version.comment && version.source !== "unconfirmed" && html`<p class="version-comment">“${version.comment}”</p>`}
        <${Changes} changes=${version.changes} />
      </div>
      ${!version.is_active && html`
        <button type="button" class="button is-small" aria-label=${T.rollBackOf(time)} onClick=${onRollBack}>
          <${Icon} name="undo" />${T.rollBack}</button>`}
    </li>`;
}

/** Returns the name of the author. @param {import("../api/history.js").Version} version */
export function authorOf({ user_id: id, source }) {
  if (id) return nameOf(id) || "…";
  return source === "cli" ? T.operator : T.noUser;
}

/** @param {{ changes: import("../api/history.js").Change[] | null }} props */
function Changes({ changes }) {
  const isOpen = useSignal(false);
  if (!changes) return html`<p class="help">${T.unknown}</p>`;
  if (changes.length === 0) return html`<p class="help">${T.nothing}</p>`;
  const named = changes.slice(0, MAX_NAMED).map(({ path }) => labelOf(path)).join(", ");
  const rest = changes.length - MAX_NAMED;
  return html`
    <details class="more" onToggle=${(/** @type {any} */ event) => { isOpen.value = event.target.open; }}>
      <summary><span>${named}${rest > 0 && T.more(rest)}</span></summary>
      ${isOpen.value && html`<${ChangeTable} changes=${changes} />`}
    </details>`;
}
