// The form for the password: on the page of the login, in place after the end of a session, and before an action that
// needs the password again.

import { ApiError } from "../api/client.js";
import { html, useEffect, useRef, useSignal } from "../lib.js";
import { login } from "../state/session.js";
import { TEXTS } from "../texts.js";

const T = TEXTS.login;

/** The error that says that the account needs a one-time code. */
const NEEDS_CODE = "mfa.validate_token.authenticate.app_error";
const WRONG_CODE = "api.user.check_user_mfa.bad_code.app_error";

/** @param {{ name?: string, button?: string, act?: typeof login | typeof import("../state/reauthentication.js").prove, children?: any }} props
 *   `name` is the account that has to log in again; `act` sends what was typed */
export function LoginForm({ name = "", button = T.button, act = login, children }) {
  const error = useSignal(/** @type {ApiError | null} */ (null));
  const isBusy = useSignal(false);
  const needsCode = useSignal(false);
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));

  useEffect(() => {
    const field = needsCode.value ? "#input_code" : name ? "#input_password-input" : "#input_loginId";
    /** @type {HTMLElement | null | undefined} */ (form.current?.querySelector(field))?.focus();
  }, [needsCode.value]);

  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const data = new FormData(/** @type {HTMLFormElement} */ (form.current));
    const text = (/** @type {string} */ field) => String(data.get(field) ?? "");
    isBusy.value = true;
    try {
      await act(text("login_id"), text("password"), text("code"));
    } catch (cause) {
      const failed = ApiError.of(cause);
      const isFirstQuestion = failed.id === NEEDS_CODE && !needsCode.value;
      needsCode.value ||= failed.id === NEEDS_CODE || failed.id === WRONG_CODE;
      error.value = isFirstQuestion ? null : failed;
    } finally {
      isBusy.value = false;
    }
  };
  return html`
    <form ref=${form} class="login-form" onSubmit=${submit}>
      <div role="alert">
        ${error.value && html`<p class="refusal" data-testid="errorMessage">${error.value.message}</p>`}
      </div>
      <label for="input_loginId">${T.name}</label>
      <input id="input_loginId" name="login_id" class="input" autocomplete="username" autocapitalize="none"
        spellcheck=${false} required maxlength="128" value=${name || undefined} readonly=${name !== ""} />
      <label for="input_password-input">${T.password}</label>
      <input id="input_password-input" name="password" class="input" type="password" autocomplete="current-password"
        autofocus=${name !== ""} required />
      ${needsCode.value && html`
        <label for="input_code">${T.code}</label>
        <input id="input_code" name="code" class="input" inputmode="numeric" autocomplete="one-time-code" maxlength="8"
          required aria-describedby="input_code_help" />
        <p class="help" id="input_code_help">${T.codeHelp}</p>`}
      <div class="login-actions">
        <button class="button is-primary" disabled=${isBusy.value}>${isBusy.value ? T.busy : button}</button>
        ${children}
      </div>
    </form>`;
}
