// The dashboard: what needs attention, the health of the parts, the busy mark, the licence, and plots once they are
// loaded.

import { busyUntil, clusterNodes, licenseInForce, ping, readiness } from "../api/dashboard.js";
import { html, useEffect, useSignal } from "../lib.js";
import { HISTORY_PAGE, waiting } from "../state/confirmation.js";
import { isLoaded, load, shown, storageState } from "../state/edits.js";
import { figures } from "../state/figures.js";
import { pending } from "../state/pending.js";
import { isOld, loadUnread, unread } from "../state/product_notices.js";
import { linkTo } from "../state/router.js";
import { settingAt } from "../state/schema.js";
import { isListed } from "../state/setup.js";
import { isWatched, may } from "../state/session.js";
import { Busy } from "../widgets/dashboard_busy.js";
import { Live } from "../widgets/dashboard_live.js";
import { Nodes } from "../widgets/dashboard_nodes.js";
import { SetupList } from "../widgets/dashboard_setup.js";
import { When } from "../widgets/dashboard_when.js";
import { Icon } from "../widgets/icon.js";
import { Loading } from "../widgets/loading.js";
import { PageFrame } from "../widgets/page_frame.js";
import { DASHBOARD as T } from "./dashboard_texts.js";

/** @typedef {import("../api/dashboard.js").Check} Check */

/**
 * @typedef {object} State
 * @property {Check[]} checks
 * @property {import("../api/dashboard.js").Node[]} nodes the servers on the database; none if it belongs to one
 * @property {boolean} isPartial true if only the ping could be read
 * @property {number | null} busyUntil
 * @property {Record<string, string>} license
 * @property {number} at the time of the reading
 */

const READ_AGAIN_MS = 10_000;

/** The time between the first reading and the plots, so that the page is complete first. */
const PLOTS_AFTER_MS = 1500;

const DAY_MS = 86_400_000;

const EXPIRES_SOON_DAYS = 30;

/** The beginning of the names of checks of saved storage settings. */
const SETTINGS = "storage-settings-";

const NOTICES = "AnnouncementSettings.NoticesURL";

const HUB = /^actor-hub\b/;

export function Page() {
  const state = useSignal(/** @type {State | null} */ (null));
  const failure = useSignal("");
  const hasPlots = useSignal(false);
  const look = async () => {
    try {
      state.value = await read(state.value !== null);
      failure.value = "";
    } catch (cause) {
      failure.value = /** @type {Error} */ (cause).message;
    }
  };
  useEffect(() => {
    const timer = setInterval(() => isWatched() && look(), READ_AGAIN_MS);
    const showPlots = () => { hasPlots.value = true; };
    let later = 0;
    look().then(() => { later = setTimeout(showPlots, PLOTS_AFTER_MS); });
    return () => {
      clearInterval(timer);
      clearTimeout(later);
    };
  }, []);
  const now = state.value;
  return html`
    <${PageFrame} title=${T.title} category=${T.category}
        actions=${now && html`<span class="muted">${T.readAt} <${When} at=${now.at} /></span>
          <button type="button" class="button" onClick=${look}>${T.refresh}</button>`}>
      ${failure.value && html`<p class="alert alert-warning page-note" role="alert" data-testid="unreadable">
        <${Icon} name="warning" />${T.unreadable} ${failure.value}</p>`}
      ${now ? html`
        <${SetupList} />
        <${Attention} state=${now} />
        <${Health} state=${now} />
        <${Nodes} nodes=${now.nodes} />
        <div class="dash-pair">
          ${may("manage_system") && html`<${Busy} until=${now.busyUntil} again=${look} />`}
          <${License} license=${now.license} />
        </div>
        ${hasPlots.value && may("get_analytics") && html`<${Live} isShared=${now.nodes.length > 1} />`}` : !failure.value && html`<${Loading} />`}
    <//>`;
}

/** Reads the state of the server. Other servers and notices come with the second reading: a page opens with few requests.
 * @param {boolean} isAgain @returns {Promise<State>} */
async function read(isAgain) {
  const until = may("manage_system") ? busyUntil() : Promise.resolve(null);
  if (isAgain && isOld() && settingAt(NOTICES)) loadUnread().catch(() => {});
  // The configuration comes along at first, so that the page does not jump when it is there.
  const checked = readiness().then(async (checks) => ({ checks, nodes: isAgain ? await others(checks) : [] }));
  const [{ checks: ready, nodes }, busy, license] =
    await Promise.all([checked, until, licenseInForce(), load().catch(() => {})]);
  const isPartial = ready.length === 0;
  const checks = isPartial ? await pinged() : ready;
  return { checks, nodes, isPartial, busyUntil: busy, license, at: Date.now() };
}

/** Returns the servers on the database if there can be others. @param {Check[]} checks */
function others(checks) {
  const isShared = checks.some(({ name }) => name === "cluster");
  return isShared && may("sysconsole_read_environment_high_availability") ? clusterNodes().catch(() => []) : [];
}

/** Returns the checks that the ping knows. @returns {Promise<Check[]>} */
async function pinged() {
  const status = await ping();
  return ["database", "filestore"].map((name) => (
    { name, outcome: status[`${name}_status`] === "OK" ? "ok" : "failed", problem: "", ageS: null }
  ));
}

/** @param {{ state: State }} props */
function Attention({ state }) {
  const items = problems(state);
  return html`
    <section class="card dash-part" data-testid="attention">
      <h2>${T.attention}</h2>
      ${items.length === 0
        ? html`<p class="alert alert-success"><${Icon} name="check" />${T.nothing}</p>`
        : html`<ul class="dash-problems">${items.map(({ text, page, place, link, isBad }) => html`
          <li key=${text} class=${isBad ? "is-bad" : "is-warn"}>
            <${Icon} name=${isBad ? "error" : "warning"} />
            <span>${text} ${page && html`<a href=${linkTo(page, place)}>${link}</a>`}</span>
          </li>`)}</ul>`}
    </section>`;
}

/** @typedef {{ text: string, page?: string, place?: string, link?: string, isBad?: boolean }} Problem */

/** Returns what an administrator should look at. @param {State} state @returns {Problem[]} */
function problems({ checks, busyUntil: until, license }) {
  const P = T.problems;
  const found = /** @type {Problem[]} */ ([]);
  const failed = checks.filter(({ outcome }) => outcome !== "ok");
  for (const { name, outcome, problem } of failed.filter(({ name: one }) => !one.startsWith(SETTINGS))) {
    const label = name.startsWith("actor-") ? P.actor(nameOf(name)) : nameOf(name);
    const trail = name === "audit-trail" && may("read_audits") && { page: "compliance/audit_logging", link: T.links.audits };
    const more = trail || (may("get_logs") ? { page: "reporting/server_logs", link: T.links.logs } : {});
    found.push({ text: P.failed(label, problem), isBad: outcome === "failed", ...more });
  }
  const isRefused = failed.some(({ name }) => name.startsWith(SETTINGS)) || /=(refused|testing)/.test(storageState.value);
  if (isRefused) found.push({ text: P.storage, page: "environment/file_storage", link: T.links.storage });
  if (waiting.value) found.push({ text: P.waiting, page: HISTORY_PAGE, link: T.links.history });
  const first = settingAt(pending.value[0] ?? "");
  if (first) {
    found.push({ text: P.pending(pending.value.length), page: first.page, place: first.path, link: T.links.pending });
  }
  if (!isListed.value && isUnset("ServiceSettings.SiteURL")) {
    found.push({ text: P.siteUrl, page: "environment/web_server", place: "ServiceSettings.SiteURL", link: T.links.siteUrl });
  }
  if (!isListed.value && isUnset("EmailSettings.SMTPServer")) {
    found.push({ text: P.mail, page: "environment/smtp", place: "EmailSettings.SMTPServer", link: T.links.mail });
  }
  const days = Math.ceil((Number(license.ExpiresAt) - Date.now()) / DAY_MS);
  if (license.ExpiresAt && days <= EXPIRES_SOON_DAYS) {
    found.push({ text: days <= 0 ? P.expired : P.expires(days), page: "about/license", link: T.links.license, isBad: days <= 0 });
  }
  if (until !== null) found.push({ text: P.busy });
  const count = unread.value?.length ?? 0;
  if (count > 0) found.push({ text: P.notices(count), page: settingAt(NOTICES)?.page, link: T.links.notices });
  return found;
}

/** Returns true if a setting that the caller may read is empty. @param {string} path */
function isUnset(path) {
  return isLoaded.value && settingAt(path) !== undefined && !shown(path);
}

/** @param {string} name the name of a check */
function nameOf(name) {
  return /** @type {Record<string, string>} */ (T.parts)[name] ?? name.replace(/^actor-/, "").replaceAll(/[-_]/g, " ");
}

/** @param {{ state: State }} props */
function Health({ state: { checks, isPartial } }) {
  const actors = checks.filter(({ name }) => name.startsWith("actor-"));
  const own = checks.filter(({ name }) => name !== "shutdown" && !/^(actor|storage-settings)-/.test(name));
  const hubs = actors.filter(({ name }) => HUB.test(name));
  const stopping = checks.find(({ name }) => name === "shutdown");
  const bad = actors.filter(({ outcome }) => outcome !== "ok");
  const age = (/** @type {Check} */ { problem, ageS }) =>
    [problem, ageS === null ? "" : T.age(ageS)].filter(Boolean).join(", ");
  return html`
    <section class="card dash-part" data-testid="health">
      <h2>${T.health}</h2>
      <ul class="dash-tiles">
        ${stopping && html`<${Tile} name=${T.parts.server} outcome=${stopping.outcome} text=${stopping.problem || T.ready} />`}
        ${own.map((check) => html`
          <${Tile} key=${check.name} name=${nameOf(check.name)} outcome=${check.outcome} text=${age(check)} />`)}
        ${hubs.length > 0 && html`
          <${Tile} name=${T.parts.hub} outcome=${hubs.find(({ outcome }) => outcome !== "ok")?.outcome ?? "ok"}
            text=${T.hubs(hubs.length)} />`}
        <${Mail} />
      </ul>
      ${isPartial && html`<p class="help">${T.partial}</p>`}
      ${actors.length > 0 && html`
        <details class="more" open=${bad.length > 0} data-testid="actors">
          <summary><span>${T.actors}</span>
            ${bad.length > 0 ? T.someFail(bad.length, actors.length) : T.allWork(actors.length)}</summary>
          <ul class="dash-actors">${actors.map(({ name, outcome, problem }) => html`
            <li key=${name}><${Mark} outcome=${outcome} /><span>${nameOf(name)}</span>
              <span class="muted">${[restartsOf(name), problem].filter(Boolean).join(", ")}</span></li>`)}</ul>
          <p class="help">${T.actorsLead}</p>
        </details>`}
    </section>`;
}

/** Returns the text about the restarts of an actor; empty if there were none. @param {string} check its name */
function restartsOf(check) {
  const found = figures.value?.actors.find(({ name }) => `actor-${name}` === check);
  return found?.restarts ? T.restarts(found.restarts) : "";
}

function Mail() {
  const path = "EmailSettings.SMTPServer";
  if (!isLoaded.value || !settingAt(path)) return null;
  const server = String(shown(path) ?? "");
  const isQuiet = shown("EmailSettings.SendEmailNotifications") === false;
  const text = server ? (isQuiet ? T.mailQuiet : T.mailSet)(server) : T.mailOff;
  return html`<${Tile} name=${T.parts.mail} outcome=${server ? "unknown" : "off"} text=${text} />`;
}

/** @param {{ name: string, outcome: keyof typeof T.states, text: string }} props */
function Tile({ name, outcome, text }) {
  return html`
    <li class="dash-tile" data-testid="tile-${name}">
      <span class="dash-tile-head"><b>${name}</b><${Mark} outcome=${outcome} /></span>
      <span class="help">${text}</span>
    </li>`;
}

const MARKS = /** @type {const} */ ({ ok: "is-good", failed: "is-bad", degraded: "is-warn", off: "is-warn", unknown: "" });

/** @param {{ outcome: keyof typeof T.states }} props */
function Mark({ outcome }) {
  return html`<span class="badge ${MARKS[outcome]}">${T.states[outcome]}</span>`;
}

/** @param {{ license: Record<string, string> }} props */
function License({ license }) {
  const isThere = license.IsLicensed === "true";
  const name = license.SkuName || license.SkuShortName;
  return html`
    <section class="card dash-part" data-testid="license">
      <h2>${T.license}</h2>
      <p>${isThere ? T.licensed(name, license.Company) : T.noLicense}</p>
      ${license.ExpiresAt && html`<p class="muted">${T.expiresAt} <${When} at=${Number(license.ExpiresAt)} isDay=${true} /></p>`}
      <p><a href=${linkTo("about/license")}>${T.openLicense}</a></p>
    </section>`;
}
