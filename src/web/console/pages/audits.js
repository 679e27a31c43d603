// The page of the audit trail: a filter, the records that match, and the chosen record with the values before and after.

import { html, useEffect, useMemo, useRef, useSignal } from "../lib.js";
import { AuditTrail, EVERYTHING, userName } from "../state/audits.js";
import { exactTime, localTime } from "../state/logs_times.js";
import { anchor, arrivals, open } from "../state/router.js";
import { may } from "../state/session.js";
import { TEXTS } from "../texts.js";
import { AuditDetails, Outcome } from "../widgets/logs_audit.js";
import { Awaited, Loading } from "../widgets/loading.js";
import { FilterField, RangeInputs } from "../widgets/logs_range.js";
import { Verification } from "../widgets/logs_verification.js";
import { RowWindow } from "../widgets/logs_window.js";
import { PageFrame } from "../widgets/page_frame.js";
import { AUDITS as T, LOGS } from "./logs_texts.js";

/** @typedef {import("../state/audits.js").Filter} Filter */
/** @typedef {import("../state/audits.js").Entry} Entry */

/** @param {{ address: string }} props */
export function Page({ address }) {
  const trail = useMemo(() => new AuditTrail(), []);
  const draft = useSignal({ ...EVERYTHING, requestId: "" });
  const place = useRef(/** @type {string | null} */ (null));
  const mayShow = may("manage_system");
  const show = (/** @type {Filter & { requestId: string }} */ wanted, at = 0) => {
    draft.value = wanted;
    const { requestId, ...filter } = wanted;
    if (requestId) trail.find(requestId, at);
    else trail.load(filter);
  };
  useEffect(() => () => trail.close(), []);
  useEffect(() => {
    // A filter that was entered stays, although its address names nothing.
    const isEntered = place.current === "" && anchor.value === "";
    place.current = anchor.value;
    const named = new URLSearchParams(anchor.value);
    const requestId = named.get("request") ?? "";
    if (!isEntered) show({ ...EVERYTHING, requestId, user: named.get("user") ?? "" }, Number(named.get("at")) || 0);
  }, [arrivals.value]);
  const submit = (/** @type {Filter & { requestId: string }} */ wanted) => {
    if (anchor.value) {
      place.current = "";
      open(address, "", true);
    }
    show(wanted);
  };
  return html`
    <${PageFrame} title=${T.title} category=${T.category} lead=${T.lead}>
      <${Verification} mayBegin=${mayShow} />
      <section class="card" aria-label=${LOGS.filter}>
        <${FilterForm} draft=${draft} trail=${trail} onShow=${submit} />
      </section>
      <section class="card log-card" aria-label=${T.list}>
        <${Bar} trail=${trail} />
        <${Records} trail=${trail} mayShow=${mayShow} />
      </section>
    <//>`;
}

/** @param {{ draft: import("../lib.js").Signal<Filter & { requestId: string }>, trail: AuditTrail,
 *   onShow: (filter: Filter & { requestId: string }) => void }} props */
function FilterForm({ draft, trail, onShow }) {
  const filter = draft.value;
  const change = (/** @type {Partial<Filter & { requestId: string }>} */ part) => { draft.value = { ...filter, ...part }; };
  const applied = { ...trail.filter.value, requestId: trail.requestId.value };
  const textOf = (/** @type {object} */ one) => JSON.stringify(Object.entries(one).sort());
  const isSame = textOf(filter) === textOf(applied);
  const nothing = { ...EVERYTHING, requestId: "" };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const { user, text, requestId } = filter;
    onShow({ ...filter, user: user.trim().replace(/^@/, ""), text: text.trim(), requestId: requestId.trim() });
  };
  return html`
    <form class="log-filter" onSubmit=${submit}>
      <${RangeInputs} range=${filter.range} onChange=${(/** @type {Filter["range"]} */ range) => change({ range })} />
      <${FilterField} name="filter-user" label=${T.user} value=${filter.user}
        onChange=${(/** @type {string} */ user) => change({ user })} />
      <${FilterField} name="filter-text" label=${T.text} help=${T.textHelp} value=${filter.text}
        onChange=${(/** @type {string} */ text) => change({ text })} />
      <div class="field">
        <label for="audit-outcome">${T.outcome}</label>
        <select id="audit-outcome" class="input" onChange=${(/** @type {Event} */ event) =>
          change({ outcome: /** @type {HTMLSelectElement} */ (event.target).value })}>
          ${Object.entries(T.outcomes).map(([key, text]) => html`
            <option key=${key} value=${key} selected=${key === filter.outcome}>${text}</option>`)}
        </select>
      </div>
      <${FilterField} name="filter-request" label=${T.request} value=${filter.requestId}
        onChange=${(/** @type {string} */ requestId) => change({ requestId })} />
      <label class="check">
        <input type="checkbox" data-testid="withoutReads" checked=${filter.withoutReads}
          onChange=${() => change({ withoutReads: !filter.withoutReads })} />${T.withoutReads}</label>
      <div class="log-filter-actions">
        <button type="submit" class="button is-primary" data-testid="showRecords">${LOGS.show}</button>
        <button type="button" class="button is-quiet" disabled=${isSame && textOf(filter) === textOf(nothing)}
          onClick=${() => onShow(nothing)}>${LOGS.reset}</button>
        <span class="help" role="status">${isSame ? "" : LOGS.stale}</span>
      </div>
    </form>`;
}

/** @param {{ trail: AuditTrail }} props */
function Bar({ trail }) {
  const { count, oldest } = trail.searched.value;
  const requestId = trail.requestId.value;
  return html`
    <header class="card-head log-head">
      <p class="log-count" role="status" data-testid="auditCount">
        ${requestId
          ? html`${T.ofRequest} <code>${requestId}</code>`
          : html`${T.searched(trail.entries.value.length, count)}${oldest > 0 && html`
            <span class="muted"> ${T.back} <time title=${exactTime(oldest)}>${localTime(oldest)}</time></span>`}`}
      </p>
    </header>`;
}

/** @param {{ trail: AuditTrail, mayShow: boolean }} props */
function Records({ trail, mayShow }) {
  const chosenId = useSignal("");
  const entries = trail.entries.value;
  const isLoading = trail.isLoading.value;
  const requestId = trail.requestId.value;
  const found = entries.findIndex((entry) => entry.id === chosenId.value);
  // The record of a request is chosen by itself.
  const index = found < 0 && requestId && entries.length > 0 ? 0 : found;
  const choose = (/** @type {number} */ one) => { chosenId.value = entries[one]?.id ?? ""; };
  const again = () => (requestId ? trail.find(requestId, 0) : trail.load(trail.filter.value));
  const nothing = requestId ? T.noRecord(requestId) : trail.hasOlder.value ? T.nothingYet : T.nothing;
  return html`
    ${entries.length > 0 && html`
      <${RowWindow} id="audit-lines" label=${T.list} look=${entries.length === 1 ? "audit-lines is-single" : "audit-lines"}
        count=${entries.length} chosen=${index} onChoose=${choose}
        row=${(/** @type {number} */ one) => html`<${Row} entry=${entries[one]} />`} />`}
    ${entries.length === 0 && !isLoading && (trail.hasFailed.value
      ? html`<div class="log-note"><${Awaited} hasFailed=${true} again=${again} /></div>`
      : html`<p class="log-note help" data-testid="noRecords">${nothing}</p>`)}
    ${(isLoading || trail.hasOlder.value) && html`
      <div class="log-end">
        ${isLoading
          ? html`<${Loading} text=${TEXTS.loading} />`
          : html`<button type="button" class="button is-small" data-testid="older" onClick=${() => trail.further()}>
              ${entries.length === trail.searched.value.count ? T.further : T.searchFurther}</button>`}
      </div>`}
    ${index >= 0 && html`
      <${AuditDetails} key=${entries[index].id} entry=${entries[index]} mayShow=${mayShow}
        onClose=${requestId ? null : () => choose(-1)} />`}`;
}

/** @param {{ entry: Entry }} props */
function Row({ entry }) {
  return html`
    <time class="log-time" title=${exactTime(entry.create_at)}>${localTime(entry.create_at)}</time>
    <span class="audit-user">${entry.user_id ? userName(entry.user_id) : html`<span class="muted">${T.server}</span>`}</span>
    <span class="audit-event">${entry.event || entry.more || entry.action}</span>
    <${Outcome} outcome=${entry.outcome} />
    <span class="audit-path muted">${entry.action} ${entry.more}</span>`;
}
