// The page of the server's log: a filter, the lines that match, and the chosen line with all its fields.

import { apiUrl, saveAs } from "../api/client.js";
import { html, useEffect, useMemo, useRef, useSignal } from "../lib.js";
import { saved } from "../state/edits.js";
import { asFile, EVERYTHING, LEVELS, LogLines, MAX_LINES } from "../state/logs.js";
import { anchor, arrivals, linkTo, open } from "../state/router.js";
import { may } from "../state/session.js";
import { TEXTS } from "../texts.js";
import { Icon } from "../widgets/icon.js";
import { Awaited, Loading } from "../widgets/loading.js";
import { LineDetails, LogRow } from "../widgets/logs_line.js";
import { FilterField, RangeInputs, ServerInput } from "../widgets/logs_range.js";
import { RowWindow } from "../widgets/logs_window.js";
import { PageFrame } from "../widgets/page_frame.js";
import { localTime, exactTime } from "../state/logs_times.js";
import { LOGS as T } from "./logs_texts.js";

/** @typedef {import("../state/logs.js").Filter} Filter */
/** @typedef {import("../state/logs.js").Line} Line */
/** @typedef {"structured" | "plain"} View */

const VIEWS = /** @type {const} */ (["structured", "plain"]);

/** @param {{ address: string }} props */
export function Page({ address }) {
  const log = useMemo(() => new LogLines(), []);
  const draft = useSignal(EVERYTHING);
  const place = useRef(/** @type {string | null} */ (null));
  const view = useSignal(/** @type {View} */ ("structured"));
  const show = (/** @type {Filter} */ filter) => {
    draft.value = filter;
    log.load(filter);
  };
  useEffect(() => () => log.close(), []);
  useEffect(() => {
    // A filter that was entered stays, although its address names nothing.
    const isEntered = place.current === "" && anchor.value === "";
    place.current = anchor.value;
    const requestId = new URLSearchParams(anchor.value).get("request") ?? "";
    if (!isEntered) show({ ...EVERYTHING, requestId });
  }, [arrivals.value]);
  const submit = (/** @type {Filter} */ filter) => {
    // The address goes on only with the request that it names.
    if (anchor.value && anchor.value !== `request=${filter.requestId}`) {
      place.current = "";
      open(address, "", true);
    }
    show(filter);
  };
  return html`
    <${PageFrame} title=${T.title} category=${T.category} lead=${T.lead} actions=${html`<${Downloads} log=${log} />`}>
      <${FileNote} />
      <section class="card" aria-label=${T.filter}>
        <${FilterForm} draft=${draft} log=${log} onShow=${submit} />
      </section>
      <section class="card log-card" aria-label=${T.list}>
        <${Bar} log=${log} view=${view} />
        <${Lines} log=${log} view=${view.value} />
      </section>
    <//>`;
}

/** Says why lines are missing, if the settings are the reason. */
function FileNote() {
  const isOff = saved("LogSettings.EnableFile") === false;
  const isPlain = saved("LogSettings.FileJson") === false;
  if (!isOff && !isPlain) return null;
  const setting = isOff ? "LogSettings.EnableFile" : "LogSettings.FileJson";
  return html`
    <p class="alert alert-warning page-note"><${Icon} name="warning" />
      <span>${isOff ? T.noFile : T.noJson} <a href=${linkTo("environment/logging", setting)}>${T.setting}</a></span></p>`;
}

/** @param {{ log: LogLines }} props */
function Downloads({ log }) {
  const isOff = saved("LogSettings.EnableFile") === false;
  return html`
    <button type="button" class="button" data-testid="downloadShown" disabled=${log.lines.value.length === 0}
      onClick=${() => download(log.lines.value)}><${Icon} name="download" />${T.downloadShown}</button>
    ${!isOff && html`
      <a class="button" data-testid="downloadAll" href=${apiUrl("logs/download").href} download="mattermost.log">
        <${Icon} name="download" />${T.downloadAll(log.servers.value[1] ? log.servers.value[0] ?? "" : "")}</a>`}`;
}

/** @param {Line[]} lines */
function download(lines) {
  saveAs(asFile(lines), `quarterdeck-log-${new Date().toISOString().slice(0, 19).replace(/\D/g, "")}.jsonl`);
}

/** @param {{ draft: import("../lib.js").Signal<Filter>, log: LogLines, onShow: (filter: Filter) => void }} props */
function FilterForm({ draft, log, onShow }) {
  const filter = draft.value;
  const change = (/** @type {Partial<Filter>} */ part) => { draft.value = { ...filter, ...part }; };
  const isSame = JSON.stringify(filter) === JSON.stringify(log.filter.value);
  const isEverything = JSON.stringify(filter) === JSON.stringify(EVERYTHING);
  const toggle = (/** @type {string} */ level) => change({
    levels: filter.levels.includes(level) ? filter.levels.filter((one) => one !== level) : [...filter.levels, level],
  });
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    onShow({ ...filter, text: filter.text.trim(), requestId: filter.requestId.trim() });
  };
  return html`
    <form class="log-filter" onSubmit=${submit}>
      <fieldset class="field">
        <legend>${T.linesTitle}</legend>
        <div class="checks">
          ${Object.keys(LEVELS).map((level) => html`
            <label key=${level} class="check">
              <input type="checkbox" data-testid=${`level-${level}`} checked=${filter.levels.includes(level)}
                onChange=${() => toggle(level)} />${T.levels[level]}</label>`)}
          <label class="check is-apart">
            <input type="checkbox" data-testid="filter-requests" checked=${filter.requests || filter.requestId !== ""}
              disabled=${filter.requestId !== ""} onChange=${() => change({ requests: !filter.requests })} />${T.requests}</label>
        </div>
      </fieldset>
      <${ServerInput} servers=${log.servers.value} value=${filter.server}
        onChange=${(/** @type {string} */ server) => change({ server })} />
      <${RangeInputs} range=${filter.range} onChange=${(/** @type {Filter["range"]} */ range) => change({ range })} />
      <${FilterField} name="filter-text" label=${T.text} help=${T.textHelp} value=${filter.text}
        onChange=${(/** @type {string} */ text) => change({ text })} />
      <${FilterField} name="filter-request" label=${T.request} value=${filter.requestId}
        onChange=${(/** @type {string} */ requestId) => change({ requestId })} />
      <div class="log-filter-actions">
        <button type="submit" class="button is-primary" data-testid="showLines">${T.show}</button>
        <button type="button" class="button is-quiet" disabled=${isEverything && isSame}
          onClick=${() => onShow(EVERYTHING)}>${T.reset}</button>
        <span class="help" role="status">${isSame ? "" : T.stale}</span>
      </div>
    </form>`;
}

/** @param {{ log: LogLines, view: import("../lib.js").Signal<View> }} props */
function Bar({ log, view }) {
  const isFollowing = log.isFollowing.value;
  const hasEnd = log.filter.value.range.span === "between" && log.filter.value.range.to !== "";
  const lines = log.lines.value;
  const oldest = lines.at(-1)?.at ?? 0;
  useEffect(() => {
    if (hasEnd) log.pause();
  }, [hasEnd]);
  return html`
    <header class="card-head log-head">
      <p class="log-count" role="status" data-testid="logCount">
        ${T.shown(lines.length)}${oldest > 0 && html`
          <span class="muted"> ${T.back} <time title=${exactTime(oldest)}>${localTime(oldest)}</time></span>`}
      </p>
      <div class="segments" role="radiogroup" aria-label=${T.view}>
        ${VIEWS.map((one) => html`
          <label key=${one} class="segment">
            <input type="radio" name="log-view" value=${one} checked=${view.value === one}
              onChange=${() => { view.value = one; }} /><span>${T.views[one]}</span></label>`)}
      </div>
      <button type="button" class="button" data-testid="follow" aria-pressed=${isFollowing} disabled=${hasEnd}
          title=${hasEnd ? T.noFollow : T.followHelp} onClick=${() => (isFollowing ? log.pause() : log.follow())}>
        ${isFollowing ? html`<span class="spinner" aria-hidden="true"></span>${T.pause}` : html`<${Icon} name="play" />${T.follow}`}
      </button>
    </header>`;
}

/** @param {{ log: LogLines, view: View }} props */
function Lines({ log, view }) {
  const chosen = useSignal(/** @type {Line | null} */ (null));
  const lines = log.lines.value;
  const index = chosen.value ? lines.indexOf(chosen.value) : -1;
  const isLoading = log.isLoading.value;
  const choose = (/** @type {number} */ one) => { chosen.value = lines[one] ?? null; };
  return html`
    ${lines.length > 0 && html`
      <${RowWindow} id="log-lines" label=${T.list} look=${`log-lines is-${view}`} count=${lines.length} chosen=${index}
        added=${log.added.value} onChoose=${choose}
        row=${(/** @type {number} */ one) => html`<${LogRow} line=${lines[one]} isPlain=${view === "plain"} />`} />`}
    ${lines.length === 0 && !isLoading && (log.hasFailed.value
      ? html`<div class="log-note"><${Awaited} hasFailed=${true} again=${() => log.load(log.filter.value)} /></div>`
      : html`<p class="log-note help" data-testid="noLines">${T.nothing}</p>`)}
    <${End} log=${log} />
    ${index >= 0 && html`
      <${LineDetails} line=${lines[index]} onClose=${() => choose(-1)}
        hasAudits=${may("read_audits") && may("manage_system")} />`}`;
}

/** The end of the list: older lines, and why there may be more. @param {{ log: LogLines }} props */
function End({ log }) {
  const cut = T.cut[log.cut.value];
  const isAtLimit = log.lines.value.length >= MAX_LINES;
  const missing = log.missing.value;
  if (!log.isLoading.value && !log.hasOlder.value && !cut && !isAtLimit && missing.length === 0) return null;
  return html`
    <div class="log-end">
      ${log.isLoading.value
        ? html`<${Loading} text=${TEXTS.loading} />`
        : log.hasOlder.value && html`
          <button type="button" class="button is-small" data-testid="older" onClick=${() => log.older()}>${T.older}</button>`}
      ${!log.isLoading.value && missing.map(([name, reason]) => html`
        <p key=${name} class="help" data-testid="missingServer">${T.missing(name, reason)}</p>`)}
      ${!log.isLoading.value && cut && html`<p class="help">${cut}</p>`}
      ${isAtLimit && html`<p class="help">${T.atLimit(MAX_LINES)}</p>`}
    </div>`;
}
