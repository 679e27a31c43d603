// The sessions of an account. The one of this browser is marked, and not ended from here.

import * as api from "../api/users.js";
import { html, useSignal } from "../lib.js";
import { ASK, USERS as T } from "../pages/users_texts.js";
import { isOwn, isThisSession } from "../state/users_account.js";
import { Icon } from "./icon.js";
import { Part, usePart } from "./users_part.js";
import { Question } from "./users_question.js";
import { Time } from "./users_time.js";

/** @typedef {import("../api/users.js").Session} Session */

/** @param {{ account: import("../api/users.js").Account }} props */
export function Sessions({ account }) {
  const part = usePart(() => api.sessions(account.id));
  const chosen = useSignal(/** @type {Session | "all" | null} */ (null));
  const all = /** @type {Session[]} */ (part.data.value ?? []);
  const own = isOwn(account);
  const others = all.filter((session) => !(own && isThisSession(session)));
  const close = () => { chosen.value = null; };
  const revokeOthers = async () => {
    for (const session of others) await api.revokeSession(account.id, session.id);
  };
  const acted = (/** @type {() => Promise<any>} */ act) => async () => {
    try {
      await act();
    } finally {
      await part.load();
    }
  };
  const actions = others.length > 0 && html`
    <button type="button" class="button is-small" data-testid="revokeAll" onClick=${() => { chosen.value = "all"; }}>
      ${own ? T.revokeOthers : T.revokeAll}</button>`;
  const opened = chosen.value;
  const text = own ? ASK.others : ASK.sessions;
  return html`
    <${Part} id="sessions" title=${T.sessions} help=${T.sessionsHelp} part=${part} actions=${actions}>
      ${all.length === 0 ? html`<p class="users-none">${T.noSessions}</p>` : html`
        <div class="users-scroll"><table class="users-table">
          <thead><tr><th scope="col">${T.device}</th><th scope="col">${T.since}</th><th scope="col">${T.used}</th>
            <th scope="col">${T.ends}</th><th scope="col"><span class="unseen">${T.action}</span></th></tr></thead>
          <tbody>${all.map((session) => html`
            <tr key=${session.id} data-testid="session">
              <th scope="row" data-label=${T.device}>${deviceOf(session)}</th>
              <td data-label=${T.since}><${Time} at=${session.create_at} none=${T.unknown} /></td>
              <td data-label=${T.used}><${Time} at=${session.last_activity_at} none=${T.never} /></td>
              <td data-label=${T.ends}><${Time} at=${session.expires_at} none=${T.never} /></td>
              <td class="users-acts">${own && isThisSession(session)
                ? html`<span class="badge is-changed">${T.thisSession}</span>`
                : html`<button type="button" class="button is-small" onClick=${() => { chosen.value = session; }}>
                    ${T.revoke}</button>`}</td>
            </tr>`)}</tbody>
        </table></div>`}
      ${opened === "all" && html`
        <${Question} title=${text.title} yes=${text.yes} done=${text.done(account.username)} isDanger=${true}
            act=${acted(own ? revokeOthers : () => api.revokeSessions(account.id))} onClose=${close}>
          <p>${text.text(account.username)}</p>
        <//>`}
      ${opened && opened !== "all" && html`
        <${Question} title=${ASK.session.title} yes=${ASK.session.yes} done=${ASK.session.done(account.username)}
            isDanger=${true} act=${acted(() => api.revokeSession(account.id, opened.id))} onClose=${close}>
          <p>${ASK.session.text(account.username, deviceOf(opened))}</p>
          ${own && html`<p class="help alert"><${Icon} name="info" />${ASK.session.own}</p>`}
        <//>`}
    <//>`;
}

/** Returns what is known of the program that holds a session. @param {Session} session */
function deviceOf({ props, device_id: device, is_oauth: isOauth }) {
  if (props.type === "UserAccessToken") return T.byToken;
  if (isOauth) return T.byApp;
  const known = [props.browser, props.os].filter((part) => part && !part.startsWith("Unknown"));
  const name = known.length > 0 ? known.join(", ") : T.unknown;
  return device ? `${T.mobile}: ${name}` : name;
}
