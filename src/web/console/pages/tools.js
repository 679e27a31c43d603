// Tools that an administrator starts by hand: maintenance, tests, checks of the database, the support packet.

import { ApiError } from "../api/client.js";
import * as api from "../api/tools.js";
import { html, useEffect, useSignal } from "../lib.js";
import { isLoaded, load, loadFailed, shown } from "../state/edits.js";
import { linkTo } from "../state/router.js";
import { tellFailure } from "../state/notices.js";
import { settingAt } from "../state/schema.js";
import { may, user } from "../state/session.js";
import { TEXTS } from "../texts.js";
import { SupportPacket } from "../widgets/dashboard_packet.js";
import { Tool } from "../widgets/dashboard_tool.js";
import { Upgrade } from "../widgets/dashboard_upgrade.js";
import { Icon } from "../widgets/icon.js";
import { Awaited } from "../widgets/loading.js";
import { PageFrame } from "../widgets/page_frame.js";
import { TOOLS as T } from "./tools_texts.js";

export function Page() {
  useEffect(() => {
    load().catch(() => {});
  }, []);
  const isRestricted = shown("ExperimentalSettings.RestrictSystemAdmin") === true;
  return html`
    <${PageFrame} title=${T.title} category=${T.category}>
      ${isRestricted && html`<p class="alert page-note"><${Icon} name="lock" />${T.restricted}</p>`}
      ${!isLoaded.value ? html`<${Awaited} hasFailed=${loadFailed.value} again=${() => load().catch(tellFailure)} />` : html`
        ${!isRestricted && html`<${Maintenance} /><${Tests} />`}
        <${Database} />
        ${!isRestricted && may("manage_system") && html`<${Upgrade} /><${SupportPacket} />`}`}
    <//>`;
}

function Maintenance() {
  const reload = async () => {
    await api.reloadConfig();
    await load(true);
  };
  const tools = [
    { id: "caches", needs: "invalidate_caches", texts: T.tools.caches, run: api.invalidateCaches },
    { id: "recycle", needs: "recycle_database_connections", texts: T.tools.recycle, run: api.recycleConnections },
    { id: "reload", needs: "reload_config", texts: T.tools.reload, run: reload },
  ].filter(({ needs }) => may(needs));
  if (tools.length === 0) return null;
  return html`
    <section class="card rows">
      <h2>${T.maintenance}</h2>
      ${tools.map((tool) => html`<${Tool} key=${tool.id} ...${tool} help=${tool.texts.help} />`)}
    </section>`;
}

function Tests() {
  const address = useSignal(String(shown("ServiceSettings.SiteURL") ?? ""));
  const { mail, push, siteUrl: site } = T.tools;
  if (!may("test_email") && !may("test_site_url")) return null;
  return html`
    <section class="card rows">
      <h2>${T.tests}</h2>
      ${may("test_email") && html`
        <${Tool} id="testMail" texts=${mail} help=${mail.help(user.value?.email ?? "")} run=${api.testMail}
          more=${settingAt("EmailSettings.SMTPServer") && html`<a href=${linkTo("environment/smtp")}>${T.openMail}</a>`} />`}
      ${may("test_email") && html`
        <${Tool} id="testPush" texts=${push} help=${push.help(user.value?.username ?? "")} run=${testPush}
          more=${settingAt(PUSH_PROXY) && html`<a href=${linkTo(settingAt(PUSH_PROXY)?.page ?? "")}>${T.openPush}</a>`} />`}
      ${may("test_site_url") && html`
        <${Tool} id="testSiteUrl" texts=${site} help=${site.help} isDisabled=${address.value.trim() === ""}
          run=${() => api.testSiteUrl(address.value.trim())} basis=${address.value}
          before=${html`<input id="siteUrlToTest" class="input" type="url" aria-label=${site.field} value=${address.value}
            placeholder="https://chat.example.org" autocomplete="off"
            onInput=${(/** @type {any} */ event) => { address.value = event.target.value; }} />`} />`}
    </section>`;
}

const PUSH_PROXY = "EmailSettings.PushNotificationServer";

/** Sends a push notification to the caller. Fails with the reason why no device gets it. */
async function testPush() {
  const texts = T.tools.push;
  const fail = (/** @type {string} */ message) => { throw new ApiError(0, { message }, ""); };
  if (shown("EmailSettings.SendPushNotifications") === false) fail(texts.off);
  const answers = await api.reachedDevices();
  if (answers.length === 0) fail(texts.noDevice);
  if (answers.includes("unknown")) fail(texts.unknown);
  if (!answers.includes("true")) fail(texts.refused);
  await api.notifyMe();
}

function Database() {
  const migrations = useSignal(/** @type {{ version: number, name: string }[] | null} */ (null));
  const hasFailed = useSignal(false);
  const look = async () => {
    hasFailed.value = false;
    try {
      migrations.value = await api.migrations();
    } catch (cause) {
      hasFailed.value = true;
      tellFailure(cause);
    }
  };
  useEffect(() => { look(); }, []);
  const all = migrations.value;
  return html`
    <section class="card rows">
      <h2>${T.database}</h2>
      <div class="row" data-testid="schema">
        <div class="row-head"><span class="label">${T.schema}</span></div>
        <div class="row-body">
          ${!all ? html`<${Awaited} hasFailed=${hasFailed.value} again=${look} />` : all.length > 0 && html`
            <p>${T.schemaAt(all[0].version, all[0].name)}</p>
            <details class="more"><summary><span>${T.schemaAll}</span></summary>
              <ol class="dash-actors">${all.map(({ version, name }) => html`<li key=${version}>${version}: ${name}</li>`)}</ol>
            </details>`}
        </div>
      </div>
      ${may("manage_system") && html`<${Integrity} />`}
    </section>`;
}

function Integrity() {
  const isCopied = useSignal(false);
  const isOpen = shown("ServiceSettings.EnableLocalMode") === true;
  const socket = String(shown("ServiceSettings.LocalModeSocketLocation") ?? "");
  const command = `curl --unix-socket '${socket.replaceAll("'", `'\\''`)}' -X POST http://localhost${api.INTEGRITY_PATH}`;
  const local = settingAt("ServiceSettings.EnableLocalMode");
  const copy = async () => {
    await navigator.clipboard.writeText(command);
    isCopied.value = true;
  };
  return html`
    <div class="row" data-testid="integrity">
      <div class="row-head"><span class="label">${T.integrity}</span></div>
      <div class="row-body">
        <p class="help">${T.integrityHelp}</p>
        <pre class="dash-command">${command}</pre>
        ${isOpen
          ? navigator.clipboard && html`<button type="button" class="button is-small" onClick=${copy}>
              <${Icon} name="copy" />${isCopied.value ? TEXTS.copied : TEXTS.copy}</button>`
          : html`<p class="alert alert-warning"><${Icon} name="warning" /><span>${T.integrityOff}
              ${" "}${local && html`<a href=${linkTo(local.page, local.path)}>${T.openLocal}</a>`}</span></p>`}
      </div>
    </div>`;
}
