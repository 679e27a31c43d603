// The account that is open: who may do what with it, its roles, and random passwords.

import * as api from "../api/users.js";
import { saved } from "./edits.js";
import { may, user } from "./session.js";

/** @typedef {import("../api/users.js").Account} Account */

/** The system roles that an account can have beside the one of users or guests. */
export const EXTRA_ROLES = [
  "system_admin", "system_manager", "system_user_manager", "system_read_only_admin", "shared_channel_manager",
  "secure_connection_manager", "system_custom_group_admin", "system_post_all", "system_post_all_public",
  "system_user_access_token",
];

/** The roles that every account has one of. They are not changed here. */
export const BASE_ROLES = ["system_user", "system_guest"];

const EDIT = "edit_other_users";
const WRITE = "sysconsole_write_user_management_users";
const LOWER = "abcdefghijkmnopqrstuvwxyz";
const UPPER = "ABCDEFGHJKLMNPQRSTUVWXYZ";
const DIGITS = "23456789";
const SYMBOLS = "!#$%&*+-=?@_";
const PASSWORD_CHARACTERS = 20;

/** Returns true for the caller's own account. @param {Account} account */
export function isOwn(account) {
  return account.id === user.value?.id;
}

/** @param {Account} account */
export function rolesOf(account) {
  return account.roles.split(" ").filter(Boolean);
}

/** Returns the actions on an account that the server allows the caller.
 * @param {Account} account */
export function rights(account) {
  const manages = may("manage_system");
  const own = isOwn(account);
  const isOpen = own || manages || !rolesOf(account).includes("system_admin");
  const edits = isOpen && (own || may(EDIT));
  // Without codes, a server that requires them would refuse the caller's next request.
  const needsCodes = own && saved("ServiceSettings.EnforceMultifactorAuthentication") === true;
  const isGuest = rolesOf(account).includes("system_guest");
  const hasPassword = account.auth_service === "";
  return {
    activate: !own && isOpen && may(WRITE),
    roles: may("manage_roles"),
    password: hasPassword && isOpen && (own || may(WRITE)),
    link: hasPassword && account.delete_at === 0 && may(WRITE),
    codes: edits && account.mfa_active === true && !needsCodes,
    verify: manages && account.email_verified !== true,
    attempts: isOpen && may(WRITE) && (!knowsAttempts(account) || (account.failed_attempts ?? 0) > 0),
    sessions: isOpen && (own || manages || may(EDIT)),
    tokens: may("read_user_access_token") && isOpen && (own || manages || may(EDIT)),
    createTokens: may("create_user_access_token") && account.delete_at === 0,
    promote: !own && isOpen && isGuest && may("promote_guest"),
    demote: !own && isOpen && !isGuest && may("demote_to_guest"),
    revokeTokens: may("revoke_user_access_token"),
    enableTokens: may("create_user_access_token"),
  };
}

/** Returns true if the server tells the caller the number of failed logins. @param {Account} account */
export function knowsAttempts(account) {
  return isOwn(account) || may("manage_system");
}

/** Loads an account, with the figures of the report about it if the caller may read that. The report also has the
 * fields that are hidden from other users.
 * @param {string} id @returns {Promise<Account>} */
export async function openAccount(id) {
  const figures = may("sysconsole_read_user_management_users") ? api.report({ search_term: id }).catch(() => []) : [];
  const [account, found] = await Promise.all([api.show(id), figures]);
  if (found.length === 0) return account;
  const { auth_service, email, first_name, last_name, last_login, last_status_at, channel_count } = found[0];
  return { ...account, auth_service, email, first_name, last_name, last_login, last_status_at, channel_count };
}

/** Adds roles to an account and takes others away. Roles that another caller changed stay as they are; the server
 * refuses the change if that happens meanwhile.
 * @param {string} id @param {string[]} added @param {string[]} removed */
export async function changeRoles(id, added, removed) {
  const before = rolesOf(await api.show(id));
  const kept = before.filter((role) => !removed.includes(role) && !added.includes(role));
  await api.setRoles(id, [...kept, ...added].join(" "), before.join(" "));
}

/** Returns true for the session of this browser. @param {api.Session} session */
export function isThisSession(session) {
  const token = document.cookie.split("; ").find((pair) => pair.startsWith("MMCSRF="))?.slice("MMCSRF=".length);
  return Boolean(token) && session.props.csrf === token;
}

/** Returns a random password with all kinds of characters. */
export function randomPassword() {
  const kinds = [LOWER, UPPER, DIGITS, SYMBOLS];
  const all = kinds.join("");
  const rest = Array.from({ length: PASSWORD_CHARACTERS - kinds.length }, () => pick(all));
  const characters = [...kinds.map(pick), ...rest];
  for (let last = characters.length - 1; last > 0; last -= 1) {
    const other = random(last + 1);
    [characters[last], characters[other]] = [characters[other], characters[last]];
  }
  return characters.join("");
}

/** @param {string} text */
function pick(text) {
  return text[random(text.length)];
}

/** Returns a random number below `limit`, each as likely as the others. @param {number} limit */
function random(limit) {
  const bound = Math.floor(0x1_0000_0000 / limit) * limit;
  const number = new Uint32Array(1);
  do crypto.getRandomValues(number); while (number[0] >= bound);
  return number[0] % limit;
}
