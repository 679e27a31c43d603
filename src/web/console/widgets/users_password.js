// The form that sets the password of an account.

import { setPassword } from "../api/users.js";
import { html } from "../lib.js";
import { PASSWORD as T } from "../pages/users_texts.js";
import { saved } from "../state/edits.js";
import { isOwn, randomPassword } from "../state/users_account.js";
import { PasswordField, Question } from "./users_question.js";

/** @param {{ account: import("../api/users.js").Account, reload: () => Promise<void>, onClose: () => void }} props */
export function SetPassword({ account, reload, onClose }) {
  const own = isOwn(account);
  const act = async (/** @type {FormData} */ form) => {
    await setPassword(account.id, String(form.get("password")), String(form.get("current") ?? ""));
    await reload();
  };
  return html`
    <${Question} title=${T.title} yes=${T.yes} done=${T.done(account.username)} act=${act} onClose=${onClose}>
      <p>${own ? T.ownText : T.text(account.username)}</p>
      ${saved("ServiceSettings.TerminateSessionsOnPasswordChange") === true && html`
        <p class="help">${own ? T.endsOthers : T.endsSessions}</p>`}
      ${own && html`
        <label for="current_password">${T.current}</label>
        <input id="current_password" name="current" class="input" type="password" autocomplete="current-password" required />`}
      <${PasswordField} id="new_password" name="password" label=${T.new} make=${randomPassword} texts=${T} />
    <//>`;
}
