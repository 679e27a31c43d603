// The option that a change is taken back unless it is confirmed, beside the button that makes the change.

import { html, useId } from "../lib.js";
import { CONFIRM as T } from "../pages/history_texts.js";
import { HISTORY_PAGE, isOn, TIMES_S, waiting } from "../state/confirmation.js";
import { canLockOut } from "../state/lockout.js";
import { linkTo } from "../state/router.js";
import { may } from "../state/session.js";

/** @param {{ choice: import("../state/confirmation.js").Choice, paths: string[] }} props `paths`: the changed settings */
export function ConfirmOption({ choice, paths }) {
  const help = useId();
  if (!may("manage_system")) return null;
  const isChosen = isOn(choice, paths);
  const isBlocked = waiting.value !== null;
  const change = (/** @type {any} */ event) => { choice.isOn.value = event.target.checked; };
  const changeTime = (/** @type {any} */ event) => { choice.seconds.value = Number(event.target.value); };
  return html`
    <div class="confirm-option" data-testid="confirmOption">
      <label class="pick">
        <input type="checkbox" data-testid="confirmWanted" checked=${isChosen} disabled=${isBlocked}
          aria-describedby=${help} onChange=${change} />
        <span>${T.option}</span>
      </label>
      <select class="input" aria-label=${T.within} data-testid="confirmWithin" disabled=${!isChosen}
          value=${String(choice.seconds.value)} onChange=${changeTime}>
        ${TIMES_S.map((seconds) => html`<option key=${seconds} value=${String(seconds)}>${T.times(seconds)}</option>`)}
      </select>
      <p class="help" id=${help}>
        ${isBlocked
          ? html`${T.waits} <a href=${linkTo(HISTORY_PAGE)}>${T.openHistory}</a>`
          : paths.some(canLockOut) ? T.risky : T.harmless}
      </p>
    </div>`;
}
