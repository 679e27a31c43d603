// The system roles of an account. A change is shown and confirmed before it is sent.

import { html, useSignal } from "../lib.js";
import { ASK, ROLES, roleName, USERS as T } from "../pages/users_texts.js";
import { BASE_ROLES, changeRoles, EXTRA_ROLES, isOwn, rights, rolesOf } from "../state/users_account.js";
import { Question } from "./users_question.js";

/** @param {{ account: import("../api/users.js").Account, reload: () => Promise<void> }} props */
export function Roles({ account, reload }) {
  const changes = useSignal(/** @type {Record<string, boolean>} */ ({}));
  const isAsking = useSignal(false);
  const held = rolesOf(account);
  const all = [...new Set([...held.filter((role) => BASE_ROLES.includes(role)), ...EXTRA_ROLES, ...held])];
  const changed = Object.entries(changes.value).filter(([role, isOn]) => isOn !== held.includes(role));
  const added = changed.filter(([, isOn]) => isOn).map(([role]) => role);
  const removed = changed.filter(([, isOn]) => !isOn).map(([role]) => role);
  const mayChange = rights(account).roles;
  const toggle = (/** @type {string} */ role, /** @type {Event} */ event) => {
    changes.value = { ...changes.value, [role]: /** @type {HTMLInputElement} */ (event.target).checked };
  };
  const act = async () => {
    await changeRoles(account.id, added, removed);
    await reload();
    changes.value = {};
  };
  return html`
    <section class="card rows" data-testid="roles">
      <div class="card-head"><div><h2>${T.roles}</h2>${mayChange && html`<p class="help">${T.rolesHelp}</p>`}</div></div>
      <ul class="users-roles">
        ${all.map((role) => {
          const isBase = BASE_ROLES.includes(role);
          // The caller could not undo the loss of an own role.
          const isKept = isOwn(account) && held.includes(role) && !isBase;
          const isOn = changes.value[role] ?? held.includes(role);
          const isOpen = mayChange && !isBase && !isKept;
          const note = isBase && mayChange ? T.baseRole : isKept && mayChange ? T.ownRole : "";
          return html`
            <li key=${role}>
              <label class="pick">
                <input type="checkbox" name=${role} checked=${isOn} disabled=${!isOpen}
                  onChange=${(/** @type {Event} */ event) => toggle(role, event)} />
                <span><strong>${roleName(role)}</strong> <code>${role}</code>
                  ${isOn !== held.includes(role) && html` <span class="badge is-changed">${isOn ? "+" : "−"}</span>`}
                  <span class="help users-role-text">${ROLES[role]?.text ?? T.unknownRole} ${note}</span></span>
              </label>
            </li>`;
        })}
      </ul>
      ${changed.length > 0 && html`
        <div class="users-actions">
          <button type="button" class="button is-primary" data-testid="saveRoles"
            onClick=${() => { isAsking.value = true; }}>${T.saveRoles}</button>
          <button type="button" class="button" onClick=${() => { changes.value = {}; }}>${T.undoRoles}</button>
        </div>`}
      ${isAsking.value && html`
        <${Question} title=${ASK.roles.title} yes=${ASK.roles.yes} done=${ASK.roles.done(account.username)}
            isDanger=${removed.length > 0 || added.includes("system_admin")} act=${act}
            onClose=${() => { isAsking.value = false; }}>
          <p>${ASK.roles.text(account.username)}</p>
          <ul class="users-difference">
            ${added.map((role) => html`<li key=${role}><ins>+ ${roleName(role)}</ins></li>`)}
            ${removed.map((role) => html`<li key=${role}><del>− ${roleName(role)}</del></li>`)}
          </ul>
        <//>`}
    </section>`;
}
