// A question before an action on an account. A refusal stays in it, as the server says it, with the id of the request.

import { ApiError } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../lib.js";
import { ASK } from "../pages/users_texts.js";
import { tell } from "../state/notices.js";
import { TEXTS } from "../texts.js";
import { Dialog } from "./dialog.js";
import { Icon } from "./icon.js";

/**
 * @param {object} props
 * @param {string} props.title
 * @param {string} props.yes the label of the button that acts
 * @param {string | ((result: any) => string)} props.done the message after it
 * @param {boolean} [props.isDanger] true if something is taken away
 * @param {boolean} [props.isWide]
 * @param {boolean} [props.isReady] false while there is nothing to act on
 * @param {(form: FormData) => Promise<any>} props.act
 * @param {() => void} props.onClose
 * @param {any} [props.children]
 */
export function Question({ title, yes, done, isDanger = false, isWide = false, isReady = true, act, onClose, children }) {
  const isBusy = useSignal(false);
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const id = "accountQuestion";
  useEffect(() => {
    /** @type {HTMLElement | null | undefined} */ (form.current?.querySelector("input:not([readonly])"))?.focus();
  }, []);
  const close = () => {
    if (!isBusy.value) onClose();
  };
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (isBusy.value) return;
    isBusy.value = true;
    error.value = null;
    try {
      const result = await act(new FormData(/** @type {HTMLFormElement} */ (form.current)));
      tell("success", typeof done === "string" ? done : done(result));
      onClose();
    } catch (cause) {
      error.value = ApiError.of(cause);
    } finally {
      isBusy.value = false;
    }
  };
  return html`
    <${Dialog} id=${id} title=${title} isWide=${isWide} onClose=${close} actions=${html`
      <button type="button" class="button" disabled=${isBusy.value} onClick=${close}>${TEXTS.cancel}</button>
      <button type="submit" form="${id}Form" class=${`button ${isDanger ? "is-danger" : "is-primary"}`}
        disabled=${isBusy.value || !isReady}>${isBusy.value ? ASK.working : yes}</button>`}>
      <form ref=${form} id="${id}Form" class="question" onSubmit=${submit}>
        ${children}
        <div role="alert">${error.value && html`<${Refusal} error=${error.value} />`}</div>
      </form>
    <//>`;
}

/** A refusal as the server says it. @param {{ error: ApiError }} props */
export function Refusal({ error }) {
  return html`
    <p class="refusal" data-testid="errorMessage"><${Icon} name="error" /><span>${error.message}</span></p>
    ${error.errors.length > 0 && html`<ul class="refusal-list">${error.errors.map((one) => html`<li>${one.message}</li>`)}</ul>`}
    ${error.requestId && html`<p class="notice-request">${TEXTS.request} <code>${error.requestId}</code></p>`}`;
}

/** A password to choose: typed, or made at random and then shown.
 * @param {{ id: string, name: string, label: string, make: () => string, texts: { show: string, hide: string, generate: string } }} props */
export function PasswordField({ id, name, label, make, texts }) {
  const isShown = useSignal(false);
  const text = useSignal("");
  const generate = () => {
    text.value = make();
    isShown.value = true;
  };
  return html`
    <label for=${id}>${label}</label>
    <div class="password-field">
      <input id=${id} name=${name} class=${isShown.value ? "input is-shown" : "input"}
        type=${isShown.value ? "text" : "password"} autocomplete="new-password" spellcheck=${false} required
        maxlength="256" data-1p-ignore data-lpignore="true" value=${text.value}
        onInput=${(/** @type {Event} */ event) => { text.value = /** @type {HTMLInputElement} */ (event.target).value; }} />
      <button type="button" class="button" aria-pressed=${isShown.value}
        onClick=${() => { isShown.value = !isShown.value; }}>${isShown.value ? texts.hide : texts.show}</button>
      <button type="button" class="button" onClick=${generate}>${texts.generate}</button>
    </div>`;
}
