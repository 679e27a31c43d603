// What the first account needs: the rules of its fields, and the request that makes it.

import { ApiError, call } from "../api/client.js";
import { createFirst } from "../api/session.js";
import { FIRST as T } from "../pages/first_texts.js";
import { login, toLogin } from "./session.js";

/** @typedef {"email" | "username" | "password" | "code"} Field */
/** @typedef {Record<Field, string>} Values */
/** @typedef {Partial<Record<Field, string>>} Errors */
/** @typedef {{ text: string, isMet: (password: string) => boolean }} Rule */

/** The largest password, in bytes. */
const MAX_PASSWORD_BYTES = 72;

const CODE = "api.user.create_user.first_account_code.app_error";
const OFFLINE = "api.user.create_user.first_account_offline.app_error";
const NOT_THE_FIRST = "api.user.create_user.no_open_server";

/** The field to which a refusal belongs, by its id. */
const FIELDS = /** @type {[RegExp, Field][]} */ ([
  [/is_valid\.pwd/, "password"], [/first_account_(code|attempts)/, "code"], [/is_valid\.username|username_exists/, "username"],
  [/is_valid\.email|email_exists|accepted_domain/, "email"],
]);

/** Returns the rules of passwords; none if they cannot be read, because the server checks them anyway. Leads to the login
 * if there is an account by now.
 * @returns {Promise<Rule[]>} */
export async function passwordRules() {
  const config = await call("GET", "config/client", { isLogin: true }).catch(() => null);
  if (!config) return [];
  if (config.NoAccounts === "false") toLogin(T.already);
  const least = Number(config.PasswordMinimumLength) || 0;
  const kinds = /** @type {[string, string, RegExp][]} */ ([
    [config.PasswordRequireLowercase, T.kinds.lower, /[a-z]/], [config.PasswordRequireUppercase, T.kinds.upper, /[A-Z]/],
    [config.PasswordRequireNumber, T.kinds.digit, /[0-9]/], [config.PasswordRequireSymbol, T.kinds.symbol, /[ !-/:-@[-`{-~]/],
  ]);
  return [
    { text: T.least(least), isMet: (password) => bytes(password) >= least },
    ...kinds.filter(([isOn]) => isOn === "true").map(([, text, kind]) => (
      { text, isMet: (/** @type {string} */ password) => kind.test(password) }
    )),
    { text: T.most(MAX_PASSWORD_BYTES), isMet: (password) => bytes(password) <= MAX_PASSWORD_BYTES },
  ];
}

/** Returns what is wrong with the fields before they are sent. @param {Values} values @param {Rule[]} rules
 * @param {boolean} needsCode @returns {Errors} */
export function wrong({ email, username, password, code }, rules, needsCode) {
  const errors = /** @type {Errors} */ ({});
  if (!/^[^@\s]+@[^@\s]+$/.test(email.trim())) errors.email = T.wrong.email;
  if (!/^[a-z0-9._-]{1,64}$/i.test(username.trim())) errors.username = T.wrong.username;
  if (!password || rules.some((rule) => !rule.isMet(password))) errors.password = T.wrong.password;
  if (needsCode && !plainCode(code)) errors.code = T.wrong.code;
  return errors;
}

/** Makes the account and logs in with it. Leads to the login if there is another account.
 * @param {Values} values @returns {Promise<void>} */
export async function makeFirst({ email, username, password, code }) {
  try {
    const profile = { email: email.trim(), username: username.trim(), password };
    const account = await createFirst(profile, plainCode(code));
    if (!account.roles.split(" ").includes("system_admin")) return toLogin(T.late(account.username));
    await login(account.username, password, "").catch(() => toLogin(T.made(account.username)));
  } catch (cause) {
    if (cause instanceof ApiError && cause.id === NOT_THE_FIRST) return toLogin(T.already);
    throw cause;
  }
}

/** Returns the field to which a refusal belongs, and its text there. @param {ApiError} error @param {boolean} hasCode
 * @returns {Errors} */
export function atField(error, hasCode) {
  const [, field] = FIELDS.find(([ids]) => ids.test(error.id)) ?? [];
  if (!field) return {};
  if (error.id !== CODE) return { [field]: error.message };
  return { code: hasCode ? T.wrong.otherCode : T.wrong.code };
}

/** Returns true if only the command line creates the first account. @param {ApiError} error */
export function isOffline(error) {
  return error.id === OFFLINE;
}

/** Returns a code with the characters that a header can have; copies often have other dashes. @param {string} code */
function plainCode(code) {
  return code.replace(/[\u2010-\u2015]/g, "-").replace(/[^\x21-\x7e]/g, "");
}

/** @param {string} text */
function bytes(text) {
  return new TextEncoder().encode(text).length;
}
