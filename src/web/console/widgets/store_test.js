// The test of a store: a button, the steps with their times, and the first failure with its remedy.

import { html, useEffect, useRef, useSignal } from "../lib.js";
import { STORAGE as T } from "../pages/storage_texts.js";
import { linkTo } from "../state/router.js";
import { asReport, settingsToMend } from "../state/storage.js";
import { TEXTS } from "../texts.js";
import { Icon } from "./icon.js";

/** @param {{ test: import("../state/storage.js").StoreTest, id: string }} props */
export function StoreTestRow({ test, id }) {
  const { phase, report, message, requestId, steps } = test.outcome.value;
  const result = useRef(/** @type {HTMLElement | null} */ (null));
  const isRunning = phase === "running";
  const isDone = phase === "passed" || phase === "failed";
  useEffect(() => {
    if (isDone) result.current?.scrollIntoView({ block: "nearest" });
  }, [isDone]);
  return html`
    <div class="row" data-testid=${id}>
      <div class="row-head"><span class="label">${T.test}</span></div>
      <div class="row-body">
        <div class="test-line">
          <button type="button" id=${id} class="button" disabled=${isRunning} onClick=${() => test.run()}>
            <${Icon} name="play" />${isRunning ? T.testing : T.test}
          </button>
          ${isRunning && html`<${Elapsed} />
            <button type="button" class="button is-quiet" onClick=${() => test.cancel()}>${TEXTS.cancel}</button>`}
        </div>
        <p class="help">${T.testHelp}</p>
        <div ref=${result} class=${test.isStale ? "test is-stale" : "test"} role="status" aria-atomic="false" hidden=${!isDone && !isRunning}>
          ${isRunning && html`<${Stages} stages=${steps} />${report && html`<${Mending} test=${test} />`}`}
          ${isDone && html`
            ${test.isStale && html`<p class="badge is-warn" data-testid="${id}stale">${T.stale}</p>`}
            <${Verdict} isPassed=${phase === "passed"} message=${report ? message.split("; ")[0] : message} />
            ${report && html`<${Stages} stages=${report.stages} />`}
            ${report?.nodes && html`<${Nodes} nodes=${report.nodes} />`}
            ${phase === "failed" && html`<${Mending} test=${test} />`}
            ${report && html`<${Facts} report=${report} />`}
            <${ReportText} text=${asReport(test.outcome.value)} />
            ${requestId && html`<p class="notice-request">${TEXTS.request} <code>${requestId}</code></p>`}`}
        </div>
      </div>
    </div>`;
}

function Elapsed() {
  const seconds = useSignal(0);
  useEffect(() => {
    const timer = setInterval(() => { seconds.value += 1; }, 1000);
    return () => clearInterval(timer);
  }, []);
  return html`<span class="muted test-elapsed"><span class="spinner" aria-hidden="true"></span>
    ${T.elapsed(seconds.value)}</span>`;
}

/** @param {{ isPassed: boolean, message: string }} props */
function Verdict({ isPassed, message }) {
  return isPassed
    ? html`<p class="alert alert-success test-verdict"><${Icon} name="check" />${T.passed}</p>`
    : html`<p class="alert alert-warning test-verdict"><${Icon} name="error" /><span>${T.failed} ${message}</span></p>`;
}

/** @param {{ stages: { step: string, outcome: "passed" | "failed" | "skipped" | "waiting" | "running", duration_ms: number }[] }} props */
function Stages({ stages }) {
  const timeOf = (/** @type {string} */ outcome, /** @type {number} */ ms) =>
    outcome === "waiting" || outcome === "running" ? "" : outcome === "skipped" ? T.outcomes.skipped : T.duration(ms);
  return html`
    <ol class="stages">
      ${stages.map(({ step, outcome, duration_ms: ms }) => html`
        <li key=${step} class="stage is-${outcome}" data-testid="stage-${step}">
          ${outcome === "passed" || outcome === "failed"
            ? html`<${Icon} name=${outcome === "passed" ? "check" : "close"} />`
            : html`<span class=${outcome === "running" ? "spinner" : "stage-dot"} aria-hidden="true"></span>`}
          <span>${T.steps[step] ?? step}</span>
          <span class="stage-time">${timeOf(outcome, ms)}</span>
          <span class="unseen">${T.outcomes[outcome]}</span>
        </li>`)}
    </ol>`;
}

/** The results on the other servers. @param {{ nodes: import("../api/files.js").NodeResult[] }} props */
function Nodes({ nodes }) {
  return html`
    <dl class="mending" data-testid="testedServers">
      ${nodes.map(({ node, outcome, reason = "", trouble }) => html`
        <dt key=${node}>${node}</dt>
        <dd>${trouble ? T.failedAt(T.steps[trouble.step] ?? trouble.step, trouble.cause) : T.onServer[reason || outcome] ?? reason}</dd>`)}
    </dl>`;
}

/** @param {{ test: import("../state/storage.js").StoreTest }} props */
function Mending({ test }) {
  const { report, message } = test.outcome.value;
  const failure = report?.trouble;
  const settings = settingsToMend(test.place, report, message);
  return html`
    <dl class="mending" data-testid="mending">
      ${failure && html`
        <dt>${T.cause}</dt><dd>${failure.cause}</dd>
        ${failure.code && html`<dt>${T.code}</dt><dd><code>${failure.code}</code></dd>`}
        <dt>${T.remedy}</dt><dd>${failure.remedy}</dd>`}
      ${settings.length > 0 && html`
        <dt>${T.goTo}</dt>
        <dd class="mending-links">${settings.map((setting) => html`
          <a key=${setting.path} href=${linkTo(setting.page, setting.path)}>${setting.label}</a>`)}</dd>`}
    </dl>`;
}

/** @param {{ report: import("../api/files.js").Report }} props */
function Facts({ report }) {
  const facts = [[T.target, report.target], [T.identity, report.identity], [T.note, report.note]];
  return html`<dl class="mending">${facts.filter(([, value]) => value).map(([name, value]) => html`
    <dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** @param {{ text: string }} props */
function ReportText({ text }) {
  const isCopied = useSignal(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    isCopied.value = true;
  };
  return html`
    <details class="more">
      <summary><span>${T.report}</span></summary>
      <pre class="report" tabindex="0" data-testid="report">${text}</pre>
      ${navigator.clipboard && html`
        <button type="button" class="button is-small" onClick=${copy}>
          <${Icon} name="copy" />${isCopied.value ? TEXTS.copied : TEXTS.copy}</button>`}
    </details>`;
}
