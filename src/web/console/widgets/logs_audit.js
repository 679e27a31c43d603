// A record of the audit trail with all its parts, and the values before and after.

import { audit } from "../api/logs.js";
import { html, useEffect, useRef, useSignal } from "../lib.js";
import { AUDITS as T } from "../pages/logs_texts.js";
import { differences, isCut, userName, userNames } from "../state/audits.js";
import { exactTime, localTime } from "../state/logs_times.js";
import { tellFailure } from "../state/notices.js";
import { linkTo } from "../state/router.js";
import { settingAt } from "../state/schema.js";
import { may } from "../state/session.js";
import { TEXTS } from "../texts.js";
import { Icon } from "./icon.js";
import { Loading } from "./loading.js";

/** @typedef {import("../api/logs.js").FullAudit} FullAudit */

/** The time after which a record is fetched, so that moving along the list fetches only the one where it ends. */
const SETTLE_MS = 150;

const F = T.fields;

const LOOKS = /** @type {Record<string, string>} */ ({ success: "is-good", fail: "is-bad", attempt: "is-warn" });

/** @param {{ outcome: string }} props */
export function Outcome({ outcome }) {
  if (!outcome) return html`<span></span>`;
  const help = outcome === "attempt" ? T.outcomeHelp : null;
  return html`<span class="badge ${LOOKS[outcome] ?? ""}" title=${help}>${outcome}</span>`;
}

/** @param {{ entry: import("../state/audits.js").Entry, mayShow: boolean, onClose: (() => void) | null }} props */
export function AuditDetails({ entry, mayShow, onClose }) {
  const full = useSignal(/** @type {FullAudit | null} */ (null));
  const isAbsent = useSignal(false);
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => place.current?.scrollIntoView({ block: "nearest" }), [full.value]);
  useEffect(() => {
    // Records of other servers of the database have no outcome and no values.
    if (!mayShow || !entry.outcome) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      audit(entry.id, abort.signal).then((found) => { full.value = found; }, (cause) => {
        isAbsent.value = true;
        tellFailure(cause);
      });
    }, SETTLE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, []);
  const record = full.value;
  const isLoading = mayShow && entry.outcome !== "" && !record && !isAbsent.value;
  const name = userNames.value.get(entry.user_id);
  return html`
    <section ref=${place} class="log-details" aria-label=${T.details} data-testid="record">
      <header class="log-details-head">
        <h2>${entry.event || T.details}</h2>
        <${Outcome} outcome=${entry.outcome} />
        ${onClose && html`
          <button type="button" class="button is-quiet is-icon" aria-label=${TEXTS.close} onClick=${onClose}>
            <${Icon} name="close" /></button>`}
      </header>
      <${Facts} facts=${mainFacts(entry, record)} />
      ${isLoading && html`<${Loading} />`}
      ${record && html`<${Changes} record=${record} />`}
      <${Facts} facts=${moreFacts(entry, record)} />
      ${!mayShow && html`<p class="help">${T.needsMore}</p>`}
      <p class="log-links">
        ${record?.request_id && may("get_logs") && html`
          <a href=${linkTo("reporting/server_logs", `request=${record.request_id}`)}>${T.logLines}</a>`}
        ${name && html`<a href=${linkTo("compliance/audit_logging", `user=${name}`)}>${T.ofUser}</a>`}
      </p>
    </section>`;
}

/** @param {{ facts: any[][] }} props pairs of a name and a value; those without a value are left out */
function Facts({ facts }) {
  return html`
    <dl class="log-facts">${facts.filter(([, value]) => value).map(([name, value]) => html`
      <dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** @param {import("../state/audits.js").Entry} entry @param {FullAudit | null} record */
function mainFacts(entry, record) {
  const request = record ? `${record.method} ${record.path}` : entry.action;
  return [
    [F.time, html`${localTime(entry.create_at)} <span class="muted">${exactTime(entry.create_at)}</span>`],
    [F.user, entry.user_id && html`${userName(entry.user_id)} <code class="muted">${entry.user_id}</code>`],
    [F.request, request.trim() && html`<code>${request}</code>`],
    [F.status, record?.code],
    [F.error, record?.error_id && html`<code>${record.error_id}</code>`],
    [T.parameters, record ? parameters(record.parameters) : entry.more],
  ];
}

/** @param {import("../state/audits.js").Entry} entry @param {FullAudit | null} record */
function moreFacts(entry, record) {
  return [
    [F.address, entry.ip_address],
    [F.source, record?.source],
    [T.request, record?.request_id && html`<code>${record.request_id}</code>`],
    [F.session, entry.session_id && html`<code>${entry.session_id}</code>`],
    [F.id, html`<code>${entry.id}</code>`],
    [F.number, record?.number],
    [F.hash, record?.hash && html`<code>${record.hash}</code>`],
    [F.key, record?.key_id && html`<code>${record.key_id}</code>`],
  ];
}

/** @param {{ record: FullAudit }} props */
function Changes({ record }) {
  const rows = differences(record.before, record.after);
  if (rows.length === 0) return null;
  return html`
    <h3>${T.changes}</h3>
    <table class="log-values" data-testid="changes">
      <thead><tr><th>${T.member}</th><th>${T.before}</th><th>${T.after}</th></tr></thead>
      <tbody>${rows.map(({ name, before, after }) => html`
        <tr key=${name}>
          <th scope="row">${member(name)}</th>
          <td data-label=${T.before}><del>${text(before)}</del></td>
          <td data-label=${T.after}><ins>${text(after)}</ins></td>
        </tr>`)}</tbody>
    </table>`;
}

/** Returns the name of a value; for a setting, a link to it. @param {string} name */
function member(name) {
  const setting = settingAt(name);
  return setting ? html`<a href=${linkTo(setting.page, name)}><code>${name}</code></a>` : html`<code>${name}</code>`;
}

/** @param {any} value @returns {string} */
function text(value) {
  if (value === undefined || value === null) return T.none;
  if (isCut(value)) return T.cut(value.cut, value.length);
  return typeof value === "string" ? value || T.empty : JSON.stringify(value);
}

/** @param {any} value @returns {string} */
function parameters(value) {
  if (value === null || typeof value !== "object") return value ? String(value) : "";
  return Object.entries(value).map(([name, one]) => `${name} = ${text(one)}`).join("\n");
}
