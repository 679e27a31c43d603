// A tool on its row: a button, its help, and the outcome of the last run, which stays.

import { ApiError } from "../api/client.js";
import { html, useSignal } from "../lib.js";
import { TOOLS as T } from "../pages/tools_texts.js";
import { tellFailure } from "../state/notices.js";
import { Icon } from "./icon.js";

/**
 * @typedef {object} Props
 * @property {string} id
 * @property {{ label: string, button: string, done: string }} texts
 * @property {string} help
 * @property {() => Promise<any>} run
 * @property {any} [before] what stands in front of the button
 * @property {any} [more] what stands behind it
 * @property {boolean} [isDisabled]
 * @property {string} [basis] the value that is tested; an outcome for another value is not shown
 */

/** @param {Props} props */
export function Tool({ id, texts, help, run, before = null, more = null, isDisabled = false, basis = "" }) {
  const isRunning = useSignal(false);
  const outcome = useSignal(/** @type {{ text: string, isGood: boolean, basis: string } | null} */ (null));
  const start = async () => {
    isRunning.value = true;
    outcome.value = null;
    const startedAt = performance.now();
    try {
      await run();
      const took = `${Math.round(performance.now() - startedAt)} ms`;
      outcome.value = { text: T.doneAfter(texts.done, took), isGood: true, basis };
    } catch (cause) {
      outcome.value = { text: ApiError.of(cause).message, isGood: false, basis };
      tellFailure(cause);
    }
    isRunning.value = false;
  };
  const result = outcome.value?.basis === basis ? outcome.value : null;
  return html`
    <div class="row" data-testid="tool-${id}">
      <div class="row-head"><span class="label">${texts.label}</span></div>
      <div class="row-body">
        <div class="dash-line">
          ${before}
          <button type="button" class="button" id=${id} disabled=${isRunning.value || isDisabled} aria-describedby="${id}Help"
            onClick=${start}>${texts.button}</button>
          ${isRunning.value && html`<span class="muted dash-line"><span class="spinner" aria-hidden="true"></span>${T.running}</span>`}
          ${more}
        </div>
        <p class="help" id="${id}Help">${help}</p>
        <div role="status" class="dash-outcome">${result && html`
          <p class="dash-result ${result.isGood ? "is-good" : "is-bad"}" data-testid="${id}Result">
            <${Icon} name=${result.isGood ? "check" : "error"} /><span>${result.text}</span></p>`}</div>
      </div>
    </div>`;
}
