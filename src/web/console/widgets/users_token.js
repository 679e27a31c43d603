// The form that creates an access token, then its text, which is shown once.

import * as api from "../api/users.js";
import { html, useEffect, useRef, useSignal } from "../lib.js";
import { TOKEN as T } from "../pages/users_texts.js";
import { TEXTS } from "../texts.js";
import { Dialog } from "./dialog.js";
import { Icon } from "./icon.js";
import { Question } from "./users_question.js";

/** @param {{ account: import("../api/users.js").Account, onMade: () => Promise<void>, onClose: () => void }} props */
export function CreateToken({ account, onMade, onClose }) {
  const text = useSignal("");
  const act = async (/** @type {FormData} */ form) => {
    const made = await api.createToken(account.id, String(form.get("purpose")).trim());
    text.value = made.token;
    await onMade();
  };
  if (text.value) return html`<${Shown} text=${text.value} onClose=${onClose} />`;
  return html`
    <${Question} title=${T.title} yes=${T.yes} done=${T.done(account.username)} act=${act}
        onClose=${() => { if (!text.value) onClose(); }}>
      <p>${T.text(account.username)}</p>
      <label for="token_purpose">${T.purpose}</label>
      <input id="token_purpose" name="purpose" class="input" autocomplete="off" required maxlength="255" pattern=".*\\S.*"
        aria-describedby="token_purpose_help" />
      <p class="help" id="token_purpose_help">${T.purposeHelp}</p>
    <//>`;
}

/** The Escape key does not close it, because the text cannot be shown again. @param {{ text: string, onClose: () => void }} props */
function Shown({ text, onClose }) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const isCopied = useSignal(false);
  useEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, []);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    isCopied.value = true;
  };
  return html`
    <${Dialog} id="newToken" title=${T.shownTitle} onClose=${() => {}} actions=${html`
      <button type="button" class="button is-primary" onClick=${onClose}>${T.close}</button>`}>
      <p>${T.shown}</p>
      <div class="question">
        <label for="token_text">${T.token}</label>
        <div class="password-field">
          <input id="token_text" ref=${field} class="input is-shown" readonly autocomplete="off" value=${text} />
          ${navigator.clipboard && html`<button type="button" class="button" onClick=${copy}>
            <${Icon} name="copy" />${isCopied.value ? TEXTS.copied : TEXTS.copy}</button>`}
        </div>
      </div>
    <//>`;
}
