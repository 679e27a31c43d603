// The request for a trial licence, unless there was one.

import { ApiError } from "../api/client.js";
import { earlierTrial, requestTrial } from "../api/license.js";
import { html, useEffect, useSignal } from "../lib.js";
import { LICENSE as T } from "../pages/license_texts.js";
import { tell, tellFailure } from "../state/notices.js";
import { user } from "../state/session.js";
import { TEXTS } from "../texts.js";
import { When } from "./dashboard_when.js";
import { Dialog } from "./dialog.js";

/** @param {{ again: () => Promise<void> }} props */
export function Trial({ again }) {
  const earlier = useSignal(/** @type {Record<string, string> | null} */ (null));
  const isOpen = useSignal(false);
  useEffect(() => {
    earlierTrial().then((trial) => { earlier.value = trial; }, tellFailure);
  }, []);
  const trial = earlier.value;
  if (!trial) return null;
  return html`
    <section class="card dash-part" data-testid="trial">
      <h2>${T.trialTitle}</h2>
      ${trial.IsLicensed === "true"
        ? html`<p>${T.trialUsed} ${trial.ExpiresAt && html`${T.trialUntil} <${When} at=${Number(trial.ExpiresAt)} isDay=${true} />.`}</p>`
        : html`<p class="help">${T.trialHelp}</p>
          <div><button type="button" class="button" data-testid="openTrial" onClick=${() => { isOpen.value = true; }}>
            ${T.trialTitle}</button></div>`}
      ${isOpen.value && html`<${Request} close=${() => { isOpen.value = false; }} again=${again} />`}
    </section>`;
}

/** @param {{ close: () => void, again: () => Promise<void> }} props */
function Request({ close, again }) {
  const isWorking = useSignal(false);
  const refusal = useSignal(/** @type {ApiError | null} */ (null));
  const submit = async (/** @type {any} */ event) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const text = (/** @type {string} */ name) => String(data.get(name) ?? "").trim();
    isWorking.value = true;
    try {
      await requestTrial({
        ...Object.fromEntries(Object.keys(T.fields).map((name) => [name, text(name)])),
        users: Number(text("users")),
        terms_accepted: data.has("terms"),
        receive_emails_accepted: data.has("mails"),
      });
      tell("success", T.requested);
      close();
    } catch (cause) {
      // The message must be in front of the dialog, which stays with what was typed.
      refusal.value = ApiError.of(cause);
      isWorking.value = false;
    }
    await again();
  };
  const types = /** @type {Record<string, string>} */ ({ contact_email: "email", users: "number" });
  const values = /** @type {Record<string, string>} */ ({ contact_email: user.value?.email ?? "" });
  return html`
    <${Dialog} title=${T.trialTitle} onClose=${close} actions=${html`
      <button type="button" class="button" onClick=${close}>${TEXTS.cancel}</button>
      <button type="submit" form="trialForm" class="button is-primary" disabled=${isWorking.value}>
        ${isWorking.value ? T.requesting : T.request}</button>`}>
      <p class="help">${T.trialHelp}</p>
      <form id="trialForm" class="dash-fields" onSubmit=${submit}>
        ${Object.entries(T.fields).map(([name, label]) => html`
          <label key=${name} for="trial-${name}">${label}</label>
          <input id="trial-${name}" name=${name} class="input" required defaultValue=${values[name] ?? ""}
            type=${types[name] ?? "text"} min=${name === "users" ? 1 : null} />`)}
        <label class="pick"><input type="checkbox" name="terms" required /> ${T.terms}</label>
        <label class="pick"><input type="checkbox" name="mails" /> ${T.mails}</label>
      </form>
      ${refusal.value && html`
        <div role="alert" data-testid="trialRefused"><p class="refusal">${T.trialRefused} ${refusal.value.message}</p>
          ${refusal.value.requestId && html`
            <p class="notice-request">${TEXTS.request} <code>${refusal.value.requestId}</code></p>`}</div>`}
    <//>`;
}
