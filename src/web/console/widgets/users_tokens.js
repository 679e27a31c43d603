// The personal access tokens of an account.

import * as api from "../api/users.js";
import { html, useSignal } from "../lib.js";
import { ASK, USERS as T } from "../pages/users_texts.js";
import { tellFailure } from "../state/notices.js";
import { rights } from "../state/users_account.js";
import { CreateToken } from "./users_token.js";
import { Part, usePart } from "./users_part.js";
import { Question } from "./users_question.js";

/** @typedef {import("../api/users.js").AccessToken} AccessToken */
/** @typedef {"revoke" | "disable" | "enable"} Verb */

const LABELS = { revoke: T.deleteToken, disable: T.disableToken, enable: T.enableToken };

/** @param {{ account: import("../api/users.js").Account }} props */
export function Tokens({ account }) {
  const pages = useSignal(1);
  const part = usePart(async () => {
    const all = await Promise.all(Array.from({ length: pages.value }, (_, page) => api.tokens(account.id, page)));
    return all.flat();
  });
  const chosen = useSignal(/** @type {{ verb: Verb, token: AccessToken } | null} */ (null));
  const isCreating = useSignal(false);
  const all = /** @type {AccessToken[]} */ (part.data.value ?? []);
  const may = rights(account);
  const more = () => {
    pages.value += 1;
    part.load().catch(tellFailure);
  };
  const opened = chosen.value;
  const act = async () => {
    if (opened) await api.changeToken(opened.verb, opened.token.id);
    await part.load();
  };
  const verbsFor = (/** @type {AccessToken} */ token) => /** @type {Verb[]} */ ([
    may.revokeTokens && token.is_active && "disable", may.enableTokens && !token.is_active && "enable",
    may.revokeTokens && "revoke",
  ].filter(Boolean));
  const create = may.createTokens && html`
    <button type="button" class="button is-small" data-testid="createToken"
      onClick=${() => { isCreating.value = true; }}>${T.createToken}</button>`;
  return html`
    <${Part} id="tokens" title=${T.tokens} help=${T.tokensHelp} part=${part} actions=${create}>
      ${all.length === 0 ? html`<p class="users-none">${T.noTokens}</p>` : html`
        <div class="users-scroll"><table class="users-table">
          <thead><tr><th scope="col">${T.token}</th><th scope="col">${T.tokenId}</th><th scope="col">${T.state}</th>
            <th scope="col"><span class="unseen">${T.action}</span></th></tr></thead>
          <tbody>${all.map((token) => html`
            <tr key=${token.id} data-testid="token">
              <th scope="row" data-label=${T.token}>${token.description}</th>
              <td data-label=${T.tokenId}><code>${token.id}</code></td>
              <td data-label=${T.state}>${token.is_active
                ? html`<span class="badge is-good">${T.tokenOn}</span>`
                : html`<span class="badge is-bad">${T.tokenOff}</span>`}</td>
              <td class="users-acts">${verbsFor(token).map((verb) => html`
                <button key=${verb} type="button" class="button is-small" data-testid=${`token-${verb}`}
                  onClick=${() => { chosen.value = { verb, token }; }}>${LABELS[verb]}</button>`)}</td>
            </tr>`)}</tbody>
        </table></div>`}
      ${all.length === pages.value * api.TOKENS_PER_PAGE && html`
        <p class="users-none"><button type="button" class="button is-small" onClick=${more}>${T.moreTokens}</button></p>`}
      ${isCreating.value && html`
        <${CreateToken} account=${account} onMade=${part.load} onClose=${() => { isCreating.value = false; }} />`}
      ${opened && html`
        <${Question} title=${ASK[opened.verb].title} yes=${ASK[opened.verb].yes} isDanger=${opened.verb !== "enable"}
            done=${ASK[opened.verb].done(account.username)} act=${act} onClose=${() => { chosen.value = null; }}>
          <p>${ASK[opened.verb].text(account.username, opened.token.description)}</p>
        <//>`}
    <//>`;
}
