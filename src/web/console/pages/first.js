// The page that makes the first account, while there is none.

import { ApiError } from "../api/client.js";
import { html, useEffect, useId, useRef, useSignal } from "../lib.js";
import { atField, isOffline, makeFirst, passwordRules, wrong } from "../state/first.js";
import { SETUP } from "../state/place.js";
import { TEXTS } from "../texts.js";
import { Icon } from "../widgets/icon.js";
import { FIRST as T } from "./first_texts.js";

/** @typedef {import("../state/first.js").Field} Field */
/** @typedef {import("../state/first.js").Errors} Errors */
/** @typedef {import("../state/first.js").Rule} Rule */

export function Page() {
  const isOnCommandLine = useSignal(SETUP === "offline");
  const { title } = isOnCommandLine.value ? T.offline : T;
  useEffect(() => {
    document.title = `${title} · ${TEXTS.product}`;
  }, [title]);
  return html`
    <h1>${title}</h1>
    ${isOnCommandLine.value
      ? html`<${OnCommandLine} />`
      : html`<p class="page-lead">${T.lead}</p>
          <${Form} onOffline=${() => { isOnCommandLine.value = true; }} />`}`;
}

function OnCommandLine() {
  return html`
    <p>${T.offline.text}</p>
    <pre class="dash-command"><code>${T.offline.command}</code></pre>
    <p>${T.offline.then}</p>
    <button type="button" class="button is-primary" onClick=${() => location.reload()}>${T.offline.again}</button>`;
}

/** @param {{ onOffline: () => void }} props */
function Form({ onOffline }) {
  const rules = useSignal(/** @type {Rule[]} */ ([]));
  const values = useSignal({ email: "", username: "", password: "", code: "" });
  const errors = useSignal(/** @type {Errors} */ ({}));
  const failure = useSignal(/** @type {ApiError | null} */ (null));
  const needsCode = useSignal(SETUP === "code");
  const isBusy = useSignal(false);
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const focus = (/** @type {string} */ name) =>
    requestAnimationFrame(() => /** @type {HTMLElement | null} */ (form.current?.querySelector(`[name="${name}"]`))?.focus());
  useEffect(() => {
    focus("email");
    passwordRules().then((known) => { rules.value = known; });
  }, []);
  const show = (/** @type {Errors} */ found) => {
    errors.value = found;
    const [first] = Object.keys(found);
    if (first) focus(first);
    return first !== undefined;
  };
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    failure.value = null;
    if (isBusy.value || show(wrong(values.value, rules.value, needsCode.value))) return;
    isBusy.value = true;
    try {
      await makeFirst(values.value);
    } catch (cause) {
      const error = ApiError.of(cause);
      const found = atField(error, values.value.code !== "");
      if (isOffline(error)) return onOffline();
      needsCode.value ||= "code" in found;
      if (!show(found)) failure.value = error;
    } finally {
      isBusy.value = false;
    }
  };
  const field = (/** @type {Field} */ name) => ({
    name, value: values.value[name], error: errors.value[name] ?? "",
    onInput: (/** @type {string} */ text) => {
      values.value = { ...values.value, [name]: text };
      errors.value = { ...errors.value, [name]: undefined };
    },
  });
  return html`
    <form ref=${form} class="login-form" noValidate onSubmit=${submit}>
      <div role="alert">${failure.value && html`
        <p class="refusal" data-testid="errorMessage"><${Icon} name="error" /><span>${failure.value.message}</span></p>
        ${failure.value.requestId && html`<p class="notice-request">${TEXTS.request} <code>${failure.value.requestId}</code></p>`}`}
      </div>
      <${Field} ...${field("email")} label=${T.email} type="email" autocomplete="email" maxlength="128" />
      <${Field} ...${field("username")} label=${T.username} help=${T.usernameHelp} autocomplete="username" maxlength="64" />
      <${Password} ...${field("password")} rules=${rules.value} />
      ${needsCode.value && html`
        <${Field} ...${field("code")} label=${T.code} help=${T.codeHelp} autocomplete="one-time-code" maxlength="64" isCode=${true} />`}
      <div class="login-actions">
        <button class="button is-primary" disabled=${isBusy.value}>${isBusy.value ? T.busy : T.yes}</button>
      </div>
    </form>`;
}

/** @param {{ name: string, label: string, value: string, error: string, onInput: (text: string) => void, help?: string,
 *   type?: string, isCode?: boolean, autocomplete: string, maxlength: string, children?: any }} props */
function Field({ name, label, value, error, onInput, help = "", type = "text", isCode = false, autocomplete, maxlength, children }) {
  const id = useId();
  return html`
    <label for=${id}>${label}</label>
    <div class="password-field">
      <input id=${id} name=${name} class=${isCode ? "input is-shown" : "input"} type=${type} autocomplete=${autocomplete}
        maxlength=${maxlength} autocapitalize="none" spellcheck=${false} required value=${value}
        aria-invalid=${error ? "true" : null} aria-describedby="${id}error ${id}help"
        onInput=${(/** @type {any} */ event) => onInput(event.target.value)} />
      ${children}
    </div>
    <p class="refusal" id="${id}error" data-testid="wrong-${name}">${error && html`<${Icon} name="error" /><span>${error}</span>`}</p>
    <p class="help" id="${id}help">${(!error || isCode) && help}</p>`;
}

/** @param {{ name: string, value: string, error: string, onInput: (text: string) => void, rules: Rule[] }} props */
function Password({ rules, ...field }) {
  const isShown = useSignal(false);
  return html`
    <${Field} ...${field} label=${T.password} type=${isShown.value ? "text" : "password"} autocomplete="new-password" maxlength="256">
      <button type="button" class="button" aria-pressed=${isShown.value}
        onClick=${() => { isShown.value = !isShown.value; }}>${isShown.value ? T.hide : T.show}</button>
    <//>
    <ul class="first-rules help" aria-label=${T.rules} data-testid="rules">${rules.map(({ text, isMet }) => html`
      <li key=${text} class=${isMet(field.value) ? "is-met" : ""}>
        <${Icon} name=${isMet(field.value) ? "check" : "dot"} /><span>${text}</span>
        <span class="unseen">${isMet(field.value) ? T.isMet : T.isOpen}</span></li>`)}</ul>`;
}
