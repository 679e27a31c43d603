// The form that creates an account.

import { create } from "../api/users.js";
import { html } from "../lib.js";
import { CREATE as T, PASSWORD } from "../pages/users_texts.js";
import { open } from "../state/router.js";
import { drop } from "../state/users.js";
import { randomPassword } from "../state/users_account.js";
import { PasswordField, Question } from "./users_question.js";

/** @param {{ onClose: () => void }} props */
export function CreateAccount({ onClose }) {
  const act = async (/** @type {FormData} */ form) => {
    const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
    const names = Object.fromEntries(["first_name", "last_name"].map((name) => [name, text(name)]).filter(([, value]) => value));
    const account = await create({
      username: text("username"), email: text("email"), password: String(form.get("password")),
      ...(form.get("email_verified") ? { email_verified: true } : {}), ...names,
    });
    drop();
    open("user_management/users", account.id);
    return account.username;
  };
  return html`
    <${Question} title=${T.title} yes=${T.yes} done=${T.done} act=${act} onClose=${onClose}>
      <label for="new_username">${T.username}</label>
      <input id="new_username" name="username" class="input" autocomplete="off" autocapitalize="none" spellcheck=${false}
        required maxlength="64" aria-describedby="new_username_help" data-1p-ignore data-lpignore="true" />
      <p class="help" id="new_username_help">${T.usernameHelp}</p>
      <label for="new_email">${T.email}</label>
      <input id="new_email" name="email" class="input" type="email" autocomplete="off" required maxlength="128"
        data-1p-ignore data-lpignore="true" />
      <label class="pick"><input type="checkbox" name="email_verified" aria-describedby="new_verified_help" />
        <span>${T.isVerified}</span></label>
      <p class="help" id="new_verified_help">${T.isVerifiedHelp}</p>
      <label for="new_first_name">${T.firstName}</label>
      <input id="new_first_name" name="first_name" class="input" autocomplete="off" maxlength="64" />
      <label for="new_last_name">${T.lastName}</label>
      <input id="new_last_name" name="last_name" class="input" autocomplete="off" maxlength="64" />
      <${PasswordField} id="new_account_password" name="password" label=${T.password} make=${randomPassword}
        texts=${PASSWORD} />
    <//>`;
}
