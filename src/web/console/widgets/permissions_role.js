// One role: its permissions in groups, beside those of another role if that is wanted, with a difference before saving.

import * as api from "../api/users.js";
import { html, useEffect, useSignal } from "../lib.js";
import { PERMISSIONS_TEXTS as T } from "../pages/permissions_texts.js";
import { ROLES, roleName } from "../pages/users_texts.js";
import { tellFailure } from "../state/notices.js";
import { change, changesOf, discardRole, FIXED, grants, isHeld, mayPatch, permissionGroups, permissionLabel, renew, roleNamed, roles, saveRole } from "../state/permissions.js";
import { linkTo } from "../state/router.js";
import { Icon } from "./icon.js";
import { Loading } from "./loading.js";
import { PageFrame } from "./page_frame.js";
import { Question, Refusal } from "./users_question.js";

/** @typedef {import("../api/users.js").Role} Role */
/** @typedef {keyof typeof T.views} View */

/** @param {{ name: string, part: ReturnType<typeof import("./users_part.js").usePart>, address: string }} props */
export function RolePermissions({ name, part, address }) {
  const role = roleNamed(name);
  const failure = part.failure.value;
  const back = html`<a class="button" href=${linkTo(address)}>${T.back}</a>`;
  useEffect(() => {
    if (role) /** @type {HTMLElement | null} */ (document.querySelector("#page h1"))?.focus({ preventScroll: true });
  }, [Boolean(role)]);
  const lead = role && html`
    <span class="users-badges">${ROLES[name]?.text} <code>${name}</code>
      <span class="badge">${role.built_in ? T.builtIn : T.custom}</span></span>`;
  return html`
    <${PageFrame} title=${roleName(name)} category=${T.category} lead=${lead} actions=${back}>
      ${failure && html`<div role="alert"><${Refusal} error=${failure} /></div>`}
      ${!role && !failure && (roles.value ? html`<p>${T.gone}</p>` : html`<${Loading} />`)}
      ${role && html`<${Grid} role=${role} /><${Bar} role=${role} />`}
    <//>`;
}

/** @param {{ role: Role }} props */
function Grid({ role }) {
  const term = useSignal("");
  const other = useSignal("");
  const view = useSignal(/** @type {View} */ ("all"));
  const compared = roleNamed(other.value);
  const isOpen = mayPatch(role);
  const words = term.value.toLowerCase().split(/\s+/).filter(Boolean);
  const differs = (/** @type {string} */ permission) =>
    compared !== undefined && grants(role, permission) !== grants(compared, permission);
  const isMeant = (/** @type {string} */ permission) => {
    const text = `${permission} ${permissionLabel(permission)}`.toLowerCase();
    const fits = {
      all: true, granted: grants(role, permission), different: differs(permission),
      changed: grants(role, permission) !== role.permissions.includes(permission),
    };
    return words.every((word) => text.includes(word)) && fits[view.value];
  };
  const groups = permissionGroups().map((group) => ({ ...group, shown: group.permissions.filter(isMeant) }))
    .filter((group) => group.shown.length > 0);
  const valueOf = (/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).value;
  const compareWith = (/** @type {string} */ name) => {
    other.value = name;
    if (name === "" && view.value === "different") view.value = "all";
  };
  return html`
    ${!isOpen && html`<p class="alert page-note"><${Icon} name="lock" />${T.readOnly}</p>`}
    <section class="card" aria-label=${T.view}>
      <div class="users-filters is-alone" role="search">
        <div class="users-filter is-wide"><label for="permissionsSearch">${T.find}</label>
          <input id="permissionsSearch" class="input" type="search" autocomplete="off" spellcheck=${false}
            value=${term.value} onInput=${(/** @type {Event} */ event) => { term.value = valueOf(event); }} /></div>
        <div class="users-filter"><label for="permissionsCompare">${T.compare}</label>
          <select id="permissionsCompare" class="input" value=${other.value}
            onChange=${(/** @type {Event} */ event) => compareWith(valueOf(event))}>
            <option value="">${T.compareNone}</option>
            ${(roles.value ?? []).filter((one) => one.id !== role.id).map((one) => html`
              <option key=${one.name} value=${one.name}>${roleName(one.name)}</option>`)}
          </select></div>
        <div class="users-filter"><label for="permissionsView">${T.view}</label>
          <select id="permissionsView" class="input" value=${view.value}
            onChange=${(/** @type {Event} */ event) => { view.value = /** @type {View} */ (valueOf(event)); }}>
            ${Object.entries(T.views).map(([key, text]) => html`
              <option key=${key} value=${key} disabled=${key === "different" && !compared}>${text}</option>`)}
          </select></div>
      </div>
    </section>
    ${groups.length === 0 && html`<p class="users-none" role="status">${T.none}</p>`}
    ${groups.map((group) => html`
      <section key=${group.key} class="card rows" data-testid=${`permissions-${group.key}`}>
        <div class="card-head"><h2>${T.permissionGroups[group.key]}</h2>
          <span class="muted">${T.some(group.permissions.filter((one) => grants(role, one)).length, group.permissions.length)}</span></div>
        <table class="permissions-table">
          <thead class=${compared ? "" : "unseen"}><tr><th scope="col">${compared ? roleName(role.name) : T.permission}</th>
            ${compared && html`<th scope="col">${roleName(compared.name)}</th>`}</tr></thead>
          <tbody>${group.shown.map((permission) => html`
            <${Row} key=${permission} role=${role} compared=${compared} permission=${permission} isOpen=${isOpen}
              differs=${differs(permission)} />`)}</tbody>
        </table>
      </section>`)}`;
}

/** @param {{ role: Role, compared: Role | undefined, permission: string, isOpen: boolean, differs: boolean }} props */
function Row({ role, compared, permission, isOpen, differs }) {
  const isOn = grants(role, permission);
  const isChanged = isOn !== role.permissions.includes(permission);
  const isFixed = FIXED.includes(permission);
  return html`
    <tr class=${isChanged ? "is-changed" : ""} data-testid=${permission}>
      <td><label class="pick">
        <input type="checkbox" name=${permission} checked=${isOn} disabled=${!isOpen || isFixed}
          onChange=${(/** @type {Event} */ event) => change(role, permission, /** @type {HTMLInputElement} */ (event.target).checked)} />
        <span>${permissionLabel(permission)} <code class="muted">${permission}</code>
          ${isChanged && html` <span class="badge is-changed">${T.changed}</span>`}
          ${isFixed && html`<span class="help alert"><${Icon} name="lock" />${T.isFixed}</span>`}</span>
      </label></td>
      ${compared && html`<td><span class="users-mark">
        ${grants(compared, permission)
          ? html`<${Icon} name="check" /><span class="unseen">${T.granted}</span>`
          : html`<span aria-hidden="true">–</span><span class="unseen">${T.notGranted}</span>`}
        ${differs && html`<span class="badge is-warn">${T.differs}</span>`}</span></td>`}
    </tr>`;
}

/** @param {{ role: Role }} props */
function Bar({ role }) {
  const isAsking = useSignal(false);
  const { added, removed } = changesOf(role.name);
  const count = added.length + removed.length;
  return html`
    ${count > 0 && html`
      <section class="save-bar is-open" aria-label=${T.bar}>
        <div class="save-line">
          <button type="button" class="button is-primary" data-testid="savePermissions"
            onClick=${() => { isAsking.value = true; }}>${T.save}</button>
          <button type="button" class="button" onClick=${() => discardRole(role.name)}>${T.discard}</button>
          <span class="save-count" role="status">${T.changes(count)}</span>
        </div>
      </section>`}
    ${isAsking.value && html`<${Save} role=${role} onClose=${() => { isAsking.value = false; }} />`}`;
}

/** The question before a save. It shows the difference from the role as it is on the server now.
 * @param {{ role: Role, onClose: () => void }} props */
function Save({ role, onClose }) {
  const isFresh = useSignal(false);
  const isOvertaken = useSignal(false);
  const name = roleName(role.name);
  const { added, removed } = changesOf(role.name);
  const own = isHeld(role.name);
  useEffect(() => {
    api.role(role.id).then((now) => {
      isOvertaken.value = now.update_at !== role.update_at;
      renew(now);
      isFresh.value = true;
    }, (cause) => {
      onClose();
      tellFailure(cause);
    });
  }, []);
  const isEmpty = added.length + removed.length === 0;
  return html`
    <${Question} title=${T.question} yes=${T.yes} done=${own ? T.doneOwn(name) : T.done(name)}
        isReady=${isFresh.value && !isEmpty} isDanger=${removed.length > 0} act=${() => saveRole(role)} onClose=${onClose}>
      ${!isFresh.value ? html`<${Loading} />` : html`
        <p>${isEmpty ? T.nothing : isOvertaken.value ? T.overtaken : T.text(name)}</p>
        <ul class="users-difference" data-testid="permissionsDifference">
          ${added.map((one) => html`<li key=${one}><ins>+ ${permissionLabel(one)}</ins> <code>${one}</code></li>`)}
          ${removed.map((one) => html`<li key=${one}><del>− ${permissionLabel(one)}</del> <code>${one}</code></li>`)}
        </ul>
        ${own && html`<p class="alert alert-warning"><${Icon} name="warning" />${T.own}</p>`}`}
    <//>`;
}
