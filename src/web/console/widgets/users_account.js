// One account: its facts, and what the caller may do with it.

import { ApiError } from "../api/client.js";
import * as api from "../api/users.js";
import { html, useEffect, useSignal } from "../lib.js";
import { ASK, USERS as T } from "../pages/users_texts.js";
import { linkTo } from "../state/router.js";
import { isOwn, knowsAttempts, openAccount, rights, rolesOf } from "../state/users_account.js";
import { Icon } from "./icon.js";
import { Loading } from "./loading.js";
import { PageFrame } from "./page_frame.js";
import { fullName, StateBadge } from "./users_list.js";
import { SetPassword } from "./users_password.js";
import { Question, Refusal } from "./users_question.js";
import { Roles } from "./users_roles.js";
import { Sessions } from "./users_sessions.js";
import { Time } from "./users_time.js";
import { Tokens } from "./users_tokens.js";

/** @typedef {import("../api/users.js").Account} Account */

/** @param {{ id: string }} props */
export function AccountDetails({ id }) {
  const account = useSignal(/** @type {Account | null} */ (null));
  const failure = useSignal(/** @type {ApiError | null} */ (null));
  const reload = async () => {
    try {
      const found = await openAccount(id);
      // The server tells only owners that an address is verified, and the caller who verifies it.
      account.value = account.value?.email_verified ? { ...found, email_verified: true } : found;
      failure.value = null;
    } catch (cause) {
      failure.value = ApiError.of(cause);
    }
  };
  const verify = async () => {
    account.value = await api.verifyEmail(id);
  };
  useEffect(() => {
    reload();
  }, []);
  const found = account.value;
  useEffect(() => {
    if (!found) return;
    const frame = document.getElementById("page");
    if (frame) frame.scrollTop = 0;
    /** @type {HTMLElement | null} */ (document.querySelector("#page h1"))?.focus({ preventScroll: true });
  }, [found?.id]);
  const back = html`<a class="button" href=${linkTo("user_management/users")}>${T.back}</a>`;
  return html`
    <${PageFrame} title=${found?.username ?? T.title} category="${T.category}: ${T.title}" actions=${back}
        lead=${found && html`<${Lead} account=${found} />`}>
      ${failure.value && html`
        <div role="alert"><${Refusal} error=${failure.value} /></div>
        <p><button type="button" class="button" onClick=${reload}>${T.again}</button></p>`}
      ${!found && !failure.value && html`<${Loading} />`}
      ${found && html`
        <${Facts} account=${found} reload=${reload} verify=${verify} />
        <${Login} account=${found} reload=${reload} />
        <${Roles} account=${found} reload=${reload} />
        ${rights(found).sessions && html`<${Sessions} account=${found} />`}
        ${rights(found).tokens && html`<${Tokens} account=${found} />`}`}
    <//>`;
}

/** @param {{ account: Account }} props */
function Lead({ account }) {
  return html`<span class="users-badges">
    ${fullName(account)} <${StateBadge} account=${account} />
    ${isOwn(account) && html`<span class="badge is-changed">${T.you}</span>`}</span>`;
}

/** A row of facts. @param {{ label: string, id: string, children?: any }} props */
function Row({ label, id, children }) {
  return html`
    <div class="row" data-testid=${id}>
      <div class="row-head"><span class="label">${label}</span></div>
      <div class="row-body"><div class="users-fact">${children}</div></div>
    </div>`;
}

/** A button that asks before it acts.
 * @param {{ id: keyof typeof LABELS, account: Account, act: () => Promise<any>, reload: () => Promise<void>, isDanger?: boolean, note?: string }} props */
function Action({ id, account, act, reload, isDanger = false, note = "" }) {
  const isOpen = useSignal(false);
  const { title, text, yes, done } = ASK[id];
  const close = () => { isOpen.value = false; };
  const acts = async () => {
    await act();
    await reload();
  };
  return html`
    <button type="button" class="button is-small" data-testid=${id} onClick=${() => { isOpen.value = true; }}>
      ${LABELS[id]}</button>
    ${isOpen.value && html`
      <${Question} title=${title} yes=${yes} done=${done(account.username)} isDanger=${isDanger} act=${acts} onClose=${close}>
        <p>${text(account.username, account.email)}</p>
        ${note && html`<p class="help">${note}</p>`}
      <//>`}`;
}

const LABELS = {
  activate: T.activate, deactivate: T.deactivate, verify: T.verify, link: T.sendLink, codes: T.removeCodes,
  attempts: T.resetAttempts, promote: T.promote, demote: T.demote,
};

/** @param {{ account: Account, reload: () => Promise<void>, verify: () => Promise<void> }} props */
function Facts({ account, reload, verify }) {
  const may = rights(account);
  const isActive = account.delete_at === 0;
  const common = { account, reload };
  return html`
    <section class="card rows">
      <h2>${T.account}</h2>
      ${account.position && html`<${Row} id="position" label=${T.position}>${account.position}<//>`}
      <${Row} id="email" label=${T.email}>
        <span>${account.email || T.noEmail}</span>
        ${account.email_verified && html`<span class="badge is-good">${T.verified}</span>`}
        ${isOwn(account) && !account.email_verified && html`<span class="badge is-warn">${T.unverified}</span>`}
        ${account.email && may.verify && html`
          <${Action} id="verify" ...${common} act=${verify} />`}
      <//>
      <${Row} id="state" label=${T.state}>
        <${StateBadge} account=${account} />
        ${!isActive && html`<${Time} at=${account.delete_at} none="" />`}
        ${may.activate && (isActive
          ? html`<${Action} id="deactivate" ...${common} isDanger=${true} act=${() => api.setActive(account.id, false)} />`
          : html`<${Action} id="activate" ...${common} act=${() => api.setActive(account.id, true)} />`)}
        ${isOwn(account) && html`<span class="help">${T.ownState}</span>`}
      <//>
      <${Row} id="kind" label=${T.kindOf}>
        <span>${rolesOf(account).includes("system_guest") ? T.isGuest : T.isMember}</span>
        ${may.promote && html`<${Action} id="promote" ...${common} act=${() => api.changeKind("promote", account.id)} />`}
        ${may.demote && html`
          <${Action} id="demote" ...${common} isDanger=${true} act=${() => api.changeKind("demote", account.id)} />`}
      <//>
      <${Row} id="created" label=${T.created}><${Time} at=${account.create_at} none=${T.unknown} /><//>
      <${Row} id="lastLogin" label=${T.lastLogin}><${Time} at=${account.last_login} none=${T.never} /><//>
      ${account.last_status_at && html`
        <${Row} id="lastActive" label=${T.lastActive}><${Time} at=${account.last_status_at} none=${T.never} /><//>`}
      ${account.channel_count !== undefined && html`
        <${Row} id="channels" label=${T.channels}>${account.channel_count}<//>`}
      <${Row} id="id" label=${T.id}><code>${account.id}</code><//>
    </section>`;
}

/** @param {{ account: Account, reload: () => Promise<void> }} props */
function Login({ account, reload }) {
  const may = rights(account);
  const isSetting = useSignal(false);
  const common = { account, reload };
  const isCounted = knowsAttempts(account);
  const attempts = account.failed_attempts ?? 0;
  const isAdmin = rolesOf(account).includes("system_admin");
  return html`
    <section class="card rows">
      <h2>${T.login}</h2>
      <${Row} id="password" label=${T.password}>
        ${account.auth_service
          ? html`<span>${T.passwordElsewhere(account.auth_service)}</span>`
          : html`<span>${account.last_password_update ? T.passwordSet : T.passwordHere}</span>`}
        ${account.last_password_update && html`<${Time} at=${account.last_password_update} none="" />`}
        ${may.password && html`
          <button type="button" class="button is-small" data-testid="setPassword"
            onClick=${() => { isSetting.value = true; }}>${T.setPassword}</button>`}
        ${may.link && html`
          <${Action} id="link" ...${common} note=${isAdmin ? ASK.link.admin : ""} act=${() => api.sendReset(account.email)} />`}
        ${isSetting.value && html`
          <${SetPassword} ...${common} onClose=${() => { isSetting.value = false; }} />`}
      <//>
      <${Row} id="codes" label=${T.codes}>
        <span class="users-mark"><${Icon} name=${account.mfa_active ? "check" : "info"} />
          ${account.mfa_active ? T.codesOn : T.codesOff}</span>
        ${may.codes && html`
          <${Action} id="codes" ...${common} isDanger=${true} act=${() => api.removeCodes(account.id)} />`}
      <//>
      ${(isCounted || may.attempts) && html`
        <${Row} id="attempts" label=${T.attempts}>
          ${isCounted && html`<span>${T.attemptsCount(attempts)}</span>`}
          ${may.attempts && html`<${Action} id="attempts" ...${common} act=${() => api.resetAttempts(account.id)} />`}
        <//>`}
    </section>`;
}
