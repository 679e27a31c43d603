// The page of permissions: the roles and the settings about them, or the role that the address names after `#`.

import { html, useEffect } from "../lib.js";
import { entryOf } from "../state/menu.js";
import { anchor, linkTo } from "../state/router.js";
import { changesOf, loadRoles, ROLE_GROUPS, roles } from "../state/permissions.js";
import { settingsOf } from "../state/schema.js";
import { Part, usePart } from "../widgets/users_part.js";
import { RolePermissions } from "../widgets/permissions_role.js";
import { PERMISSIONS_TEXTS as T } from "./permissions_texts.js";
import { SettingGroups, SettingsFrame } from "./settings.js";
import { roleName, ROLES } from "./users_texts.js";

/** @typedef {import("../api/users.js").Role} Role */

/** @param {{ address: string }} props */
export function Page({ address }) {
  const part = usePart(loadRoles);
  const place = anchor.value;
  const isRole = place !== "" && !place.includes(".");
  const entry = entryOf(address);
  // The roles would move a setting that a link leads to out of sight.
  const isSettled = part.data.value !== null || part.failure.value !== null;
  useEffect(() => {
    const frame = document.getElementById("page");
    if (frame && isRole) frame.scrollTop = 0;
  }, [place]);
  if (isRole) return html`<${RolePermissions} key=${place} name=${place} part=${part} address=${address} />`;
  return html`
    <${SettingsFrame} title=${entry?.label ?? ""} category=${entry?.category ?? ""} lead=${T.lead}>
      <${RoleLists} part=${part} address=${address} />
      ${isSettled && html`<${SettingGroups} settings=${settingsOf(address)} title=${T.settings} />`}
    <//>`;
}

/** @param {{ part: ReturnType<typeof usePart>, address: string }} props */
function RoleLists({ part, address }) {
  const all = roles.value ?? [];
  const known = Object.values(ROLE_GROUPS).flat();
  const custom = all.filter((role) => !known.includes(role.name)).map((role) => role.name);
  const groups = { ...ROLE_GROUPS, others: [...ROLE_GROUPS.others, ...custom] };
  const keys = /** @type {(keyof typeof ROLE_GROUPS)[]} */ (Object.keys(groups));
  return keys.map((key) => html`
    <${Part} key=${key} id=${`roles-${key}`} title=${T.groups[key]} part=${part}>
      <${RoleList} roles=${groups[key].flatMap((name) => all.filter((role) => role.name === name))} address=${address} />
    <//>`);
}

/** @param {{ roles: Role[], address: string }} props */
function RoleList({ roles: list, address }) {
  return html`
    <div class="users-scroll"><table class="users-table roles-table">
      <thead><tr><th scope="col">${T.role}</th><th scope="col">${T.count}</th><th scope="col">${T.kind}</th></tr></thead>
      <tbody>${list.map((role) => {
        const { added, removed } = changesOf(role.name);
        const count = added.length + removed.length;
        return html`
          <tr key=${role.name} data-testid=${`role-${role.name}`}>
            <th scope="row"><span class="users-who">
              <a href=${linkTo(address, role.name)}>${roleName(role.name)}</a> <code>${role.name}</code>
              ${count > 0 && html`<span class="badge is-changed">${T.changes(count)}</span>`}
              <span class="muted users-full">${ROLES[role.name]?.text}</span></span></th>
            <td data-label=${T.count}>${role.permissions.length}</td>
            <td data-label=${T.kind}><span class="badge">${role.built_in ? T.builtIn : T.custom}</span></td>
          </tr>`;
      })}</tbody>
    </table></div>`;
}
