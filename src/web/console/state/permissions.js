// The roles, and changes to their permissions that are not saved yet. The changes stay while another page is open.

import * as api from "../api/users.js";
import { signal } from "../lib.js";
import { PERMISSIONS } from "./permission_names.js";
import { may, user } from "./session.js";

/** @typedef {import("../api/users.js").Role} Role */

/** The roles that come with the server, by the people who have them. */
export const ROLE_GROUPS = {
  administrators: ["system_admin", "system_manager", "system_user_manager", "system_read_only_admin",
    "shared_channel_manager", "secure_connection_manager", "system_custom_group_admin"],
  members: ["system_user", "system_guest", "team_admin", "team_user", "team_guest", "channel_admin", "channel_user",
    "channel_guest"],
  others: ["system_user_access_token", "system_post_all", "system_post_all_public", "team_post_all",
    "team_post_all_public", "custom_group_user", "playbook_admin", "playbook_member", "run_admin", "run_member"],
};

/** The permissions that the server neither adds nor removes, so that an administrator can always undo a change. */
export const FIXED = ["manage_system", "manage_roles", "sysconsole_read_user_management_system_roles",
  "sysconsole_write_user_management_system_roles"];

/** The groups of permissions in their order, with what their names contain. The first that fits counts.
 * @type {[string, RegExp][]} */
const PERMISSION_GROUPS = [
  ["console", /^sysconsole_/],
  ["playbooks", /^(playbook|run)_/],
  ["integrations", /webhook|oauth|bot|slash_commands|access_token/],
  ["operation", /job|compliance|retention|elasticsearch|ldap|saml|audits|logs|analytics|caches|config|database|license|^test_|_connections|manage_system$|brand/],
  ["channels", /channel/],
  ["posts", /post|reaction|emoji|upload_file|mentions|public_link/],
  ["groups", /custom_group/],
  ["teams", /team/],
  ["people", /user|guest|member|invite|role|group/],
];

/** The headings of the menu that names of permissions of the console begin with. */
const AREAS = /^(about|reporting|user_management|environment|site|authentication|integrations|compliance|experimental|products)_(.+)$/;

/** Words of names that are written in another way. @type {Record<string, string>} */
const SPELLINGS = {
  ldap: "LDAP", mfa: "MFA", saml: "SAML", smtp: "SMTP", cors: "CORS", gif: "GIF", ip: "IP", idp: "IdP", url: "URL",
  oauth: "OAuth", openid: "OpenID", s3: "S3",
};

const COMMON = [...ROLE_GROUPS.members, "playbook_admin", "playbook_member", "run_admin", "run_member"];
const DELEGATED = ROLE_GROUPS.administrators.slice(0, 6);
const WRITE = "sysconsole_write_user_management_permissions";
const WRITE_SYSTEM_ROLES = "sysconsole_write_user_management_system_roles";

/** The roles; null until they are there. */
export const roles = signal(/** @type {Role[] | null} */ (null));

/** The changes by role: true for a permission that is added. */
export const drafts = signal(/** @type {Map<string, Map<string, boolean>>} */ (new Map()));

addEventListener("beforeunload", (event) => {
  if (drafts.value.size > 0) event.preventDefault();
});

/** Loads the roles. Only administrators of the system may list those that do not come with the server. */
export async function loadRoles() {
  const found = await (may("manage_system") ? api.roles() : api.rolesNamed(Object.values(ROLE_GROUPS).flat()));
  roles.value = found.filter((role) => role.delete_at === 0);
  return roles.value;
}

/** @param {string} name @returns {Role | undefined} */
export function roleNamed(name) {
  return roles.value?.find((role) => role.name === name);
}

/** Returns true if the server allows the caller to change a role. @param {Role} role */
export function mayPatch(role) {
  const isOfSystem = DELEGATED.includes(role.name);
  return may(isOfSystem ? "manage_system" : WRITE) && may(COMMON.includes(role.name) ? WRITE : WRITE_SYSTEM_ROLES);
}

/** Returns true if the caller has a role. @param {string} name */
export function isHeld(name) {
  return user.value?.roles.split(" ").includes(name) ?? false;
}

/** Returns true if a role grants a permission, as it is on the screen. @param {Role} role @param {string} permission */
export function grants(role, permission) {
  return drafts.value.get(role.name)?.get(permission) ?? role.permissions.includes(permission);
}

/** Returns the changes of a role. @param {string} name */
export function changesOf(name) {
  const draft = [...drafts.value.get(name) ?? []];
  const named = (/** @type {boolean} */ isAdded) => draft.filter(([, isOn]) => isOn === isAdded).map(([one]) => one).sort();
  return { added: named(true), removed: named(false) };
}

/** Changes a permission on the screen. @param {Role} role @param {string} permission @param {boolean} isOn */
export function change(role, permission, isOn) {
  const draft = new Map(drafts.value.get(role.name));
  if (role.permissions.includes(permission) === isOn) draft.delete(permission);
  else draft.set(permission, isOn);
  keep(role.name, draft);
}

/** Drops the changes of a role. @param {string} name */
export function discardRole(name) {
  keep(name, new Map());
}

/** Takes the present state of a role from the server. Changes that it has already are changes no more.
 * @param {Role} role */
export function renew(role) {
  roles.value = (roles.value ?? []).map((one) => (one.id === role.id ? role : one));
  const left = [...drafts.value.get(role.name) ?? []].filter(([name, isOn]) => role.permissions.includes(name) !== isOn);
  keep(role.name, new Map(left));
}

/** Saves the changes of a role. Permissions that another caller changed meanwhile stay as they are.
 * @param {Role} role */
export async function saveRole(role) {
  const now = await api.role(role.id);
  const { added, removed } = changesOf(role.name);
  const permissions = [...new Set([...now.permissions.filter((name) => !removed.includes(name)), ...added])];
  renew(await api.patchRole(role.id, permissions));
}

/** Returns the permissions in groups: those that the server knows, and any other that a role has. */
export function permissionGroups() {
  const all = [...new Set([...PERMISSIONS, ...(roles.value ?? []).flatMap((role) => role.permissions)])].sort();
  const groups = new Map([...PERMISSION_GROUPS.map(([key]) => key), "rest"].map((key) => [key, /** @type {string[]} */ ([])]));
  for (const name of all) {
    const [key] = PERMISSION_GROUPS.find(([, pattern]) => pattern.test(name)) ?? ["rest"];
    groups.get(key)?.push(name);
  }
  return [...groups].map(([key, permissions]) => ({ key, permissions }));
}

/** Returns a name for people, such as `Environment: web server (read)`. @param {string} permission */
export function permissionLabel(permission) {
  const [, verb, rest] = /^sysconsole_(read|write)_(.+)$/.exec(permission) ?? [];
  if (!rest) return sentence(permission);
  const [, area, page] = AREAS.exec(rest) ?? [];
  return `${area ? `${sentence(area)}: ${words(page)}` : sentence(rest)} (${verb})`;
}

/** @param {string} name */
function words(name) {
  return name.split("_").map((word) => SPELLINGS[word] ?? word).join(" ");
}

/** @param {string} name */
function sentence(name) {
  return words(name).replace(/^./, (first) => first.toUpperCase());
}

/** @param {string} name @param {Map<string, boolean>} draft */
function keep(name, draft) {
  const next = new Map(drafts.value);
  if (draft.size > 0) next.set(name, draft);
  else next.delete(name);
  drafts.value = next;
}
