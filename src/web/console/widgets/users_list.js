// The list of accounts, with its conditions and pages.

import { html, useEffect, useSignal } from "../lib.js";
import { ROLES, roleName, USERS as T } from "../pages/users_texts.js";
import { tellFailure } from "../state/notices.js";
import { linkTo } from "../state/router.js";
import { may } from "../state/session.js";
import { accounts, conditions, hasFailed, isLoading, load, narrow, next, orderBy, page, PAGE_SIZE, previous, search, total } from "../state/users.js";
import { EXTRA_ROLES, isOwn, rolesOf } from "../state/users_account.js";
import { TEXTS } from "../texts.js";
import { Loading } from "./loading.js";
import { PageFrame } from "./page_frame.js";
import { CreateAccount } from "./users_create.js";
import { Time } from "./users_time.js";

/** @typedef {import("../state/users.js").Column} Column */
/** @typedef {import("../state/users.js").Kind} Kind */

const KINDS = /** @type {Kind[]} */ (["all", "active", "inactive", "guests"]);

/** The columns in their order, with the names under which the server orders by them. */
const COLUMNS = /** @type {[keyof typeof T.columns, Column | null][]} */ ([
  ["name", "Username"], ["email", "Email"], ["roles", null], ["state", null], ["login", null], ["created", "CreateAt"],
]);

export function AccountList() {
  const isCreating = useSignal(false);
  useEffect(() => {
    load().catch(tellFailure);
  }, []);
  const create = may("manage_system") && html`
    <button type="button" class="button is-primary" data-testid="createAccount"
      onClick=${() => { isCreating.value = true; }}>${T.create}</button>`;
  return html`
    <${PageFrame} title=${T.title} category=${T.category} lead=${T.lead} actions=${create}>
      <section class="card" aria-label=${T.list}>
        <${Filters} />
        ${accounts.value ? html`<${Table} /><${Pages} />` : html`<${Waiting} />`}
      </section>
      ${isCreating.value && html`<${CreateAccount} onClose=${() => { isCreating.value = false; }} />`}
    <//>`;
}

/** Stands for the list until there is one. */
function Waiting() {
  if (!hasFailed.value || isLoading.value) return html`<div class="users-wait"><${Loading} /></div>`;
  return html`<p class="users-none">
    <button type="button" class="button is-small" onClick=${() => load().catch(tellFailure)}>${T.again}</button></p>`;
}

function Filters() {
  const { term, role, kind } = conditions.value;
  const chosen = (/** @type {Event} */ event) => /** @type {HTMLSelectElement} */ (event.target).value;
  return html`
    <div class="users-filters" role="search">
      <div class="users-filter is-wide">
        <label for="usersSearch">${T.find}</label>
        <input id="usersSearch" class="input" type="search" placeholder=${T.findHint} autocomplete="off"
          spellcheck=${false} maxlength="128" value=${term}
          onInput=${(/** @type {Event} */ event) => search(chosen(event), tellFailure)} />
      </div>
      <div class="users-filter">
        <label for="usersKind">${T.kind}</label>
        <select id="usersKind" class="input" value=${kind}
          onChange=${(/** @type {Event} */ event) => narrow({ kind: /** @type {Kind} */ (chosen(event)) }).catch(tellFailure)}>
          ${KINDS.map((one) => html`<option key=${one} value=${one}>${T.kinds[one]}</option>`)}
        </select>
      </div>
      <div class="users-filter">
        <label for="usersRole">${T.role}</label>
        <select id="usersRole" class="input" value=${role} disabled=${kind === "guests"}
          onChange=${(/** @type {Event} */ event) => narrow({ role: chosen(event) }).catch(tellFailure)}>
          <option value="">${T.anyRole}</option>
          ${EXTRA_ROLES.map((one) => html`<option key=${one} value=${one}>${ROLES[one].name}</option>`)}
        </select>
      </div>
    </div>`;
}

function Table() {
  const found = accounts.value ?? [];
  const { column, isDescending } = conditions.value;
  if (found.length === 0) return html`<p class="users-none" role="status">${T.none}</p>`;
  const order = isDescending ? "descending" : "ascending";
  return html`
    <div class=${isLoading.value ? "users-scroll is-waiting" : "users-scroll"} aria-busy=${isLoading.value}>
      <table class="users-table" data-testid="users">
        <thead><tr>
          ${COLUMNS.map(([name, orders]) => html`
            <th key=${name} scope="col" aria-sort=${orders ? (orders === column ? order : "none") : null}>
              ${orders
                ? html`<button type="button" class="users-order" onClick=${() => orderBy(orders).catch(tellFailure)}>
                    ${T.columns[name]}<span aria-hidden="true">${orders === column ? (isDescending ? "▼" : "▲") : "↕"}</span></button>`
                : T.columns[name]}
            </th>`)}
        </tr></thead>
        <tbody>${found.map((account) => html`<${Row} key=${account.id} account=${account} />`)}</tbody>
      </table>
    </div>`;
}

/** @param {{ account: import("../api/users.js").Account }} props */
function Row({ account }) {
  const { columns } = T;
  return html`
    <tr data-testid=${`user-${account.username}`}>
      <th scope="row" data-label=${columns.name}><span class="users-who">
        <a href=${linkTo("user_management/users", account.id)}>${account.username}</a>
        ${isOwn(account) && html`<span class="badge is-changed">${T.you}</span>`}
        <span class="muted users-full">${fullName(account)}</span></span>
      </th>
      <td data-label=${columns.email}>${account.email}</td>
      <td data-label=${columns.roles}><${RoleBadges} account=${account} /></td>
      <td data-label=${columns.state}><${StateBadge} account=${account} /></td>
      <td data-label=${columns.login}><${Time} at=${account.last_login} none=${T.never} /></td>
      <td data-label=${columns.created}><${Time} at=${account.create_at} none=${T.unknown} isDay=${true} /></td>
    </tr>`;
}

/** @param {{ account: import("../api/users.js").Account }} props */
function RoleBadges({ account }) {
  const roles = rolesOf(account);
  const more = roles.length > 1 ? roles.filter((role) => role !== "system_user") : roles;
  return html`<span class="users-badges">${more.map((role) => html`
    <span key=${role} class=${role === "system_admin" ? "badge is-warn" : "badge"}>${roleName(role)}</span>`)}</span>`;
}

/** @param {{ account: import("../api/users.js").Account }} props */
export function StateBadge({ account }) {
  return account.delete_at === 0
    ? html`<span class="badge is-good">${T.isActive}</span>`
    : html`<span class="badge is-bad">${T.isInactive}</span>`;
}

/** @param {import("../api/users.js").Account} account */
export function fullName(account) {
  const name = [account.first_name, account.last_name].filter(Boolean).join(" ");
  return account.nickname ? `${name} (${account.nickname})`.trim() : name;
}

function Pages() {
  const count = total.value ?? 0;
  const shown = accounts.value?.length ?? 0;
  const from = page.value * PAGE_SIZE + 1;
  const hasMore = from + shown - 1 < count && shown > 0;
  return html`
    <nav class="users-pages" aria-label=${T.pages}>
      <span class="muted" role="status" data-testid="usersCount">${isLoading.value
        ? html`<span class="users-busy"><span class="spinner" aria-hidden="true"></span>${TEXTS.loading}</span>`
        : shown > 0 && T.some(from, from + shown - 1, count)}</span>
      ${(page.value > 0 || hasMore) && html`
        <button type="button" class="button is-small" disabled=${page.value === 0 || isLoading.value}
          onClick=${() => previous().catch(tellFailure)}>${T.previous}</button>
        <button type="button" class="button is-small" disabled=${!hasMore || isLoading.value}
          onClick=${() => next().catch(tellFailure)}>${T.next}</button>`}
    </nav>`;
}
