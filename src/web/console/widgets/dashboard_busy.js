// The busy mark: set and cleared by hand.

import { clearBusy, markBusy } from "../api/dashboard.js";
import { html, useSignal } from "../lib.js";
import { DASHBOARD as T } from "../pages/dashboard_texts.js";
import { tell, tellFailure } from "../state/notices.js";
import { When } from "./dashboard_when.js";

const MAX_BUSY_S = 86_400;

/** @param {{ until: number | null, again: () => Promise<void> }} props */
export function Busy({ until, again }) {
  const seconds = useSignal("3600");
  const isWorking = useSignal(false);
  const number = Number(seconds.value);
  const isWrong = !Number.isInteger(number) || number < 1 || number > MAX_BUSY_S;
  const work = async (/** @type {() => Promise<any>} */ act, /** @type {string} */ done) => {
    isWorking.value = true;
    try {
      await act();
      tell("success", done);
    } catch (cause) {
      tellFailure(cause);
    }
    await again();
    isWorking.value = false;
  };
  const mark = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!isWrong) work(() => markBusy(number), T.marked);
  };
  return html`
    <section class="card dash-part" data-testid="busy">
      <h2>${T.busy}</h2>
      <p>${until === null ? T.notBusy : html`<span class="badge is-warn">${T.busyUntil}</span> <${When} at=${until} />`}</p>
      <p class="help" id="busyHelp">${T.busyHelp}</p>
      <form class="dash-form" onSubmit=${mark}>
        <label for="busySeconds">${T.seconds}</label>
        <input id="busySeconds" class="input is-number" inputmode="numeric" value=${seconds.value} autocomplete="off"
          aria-describedby="busyLimits" aria-invalid=${isWrong || null}
          onInput=${(/** @type {any} */ event) => { seconds.value = event.target.value.trim(); }} />
        <button type="submit" class="button" disabled=${isWorking.value || isWrong}>${T.mark}</button>
        ${until !== null && html`<button type="button" class="button" disabled=${isWorking.value}
          onClick=${() => work(clearBusy, T.cleared)}>${T.clear}</button>`}
      </form>
      <p class=${isWrong ? "refusal" : "help"} id="busyLimits">${isWrong ? T.wrongSeconds : T.secondsLimits}</p>
    </section>`;
}
