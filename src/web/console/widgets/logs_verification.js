// The verification of the audit trail: what the last one found, and the progress of a running one.

import { verification, verifyAudits } from "../api/verification.js";
import { html, useEffect, useSignal } from "../lib.js";
import { VERIFICATION as T } from "../pages/audits_texts.js";
import { exactTime, localTime } from "../state/logs_times.js";
import { tellFailure } from "../state/notices.js";
import { isWatched } from "../state/session.js";
import { Awaited } from "./loading.js";

/** @typedef {import("../api/verification.js").Verification} Report */

const READ_AGAIN_MS = 60_000;
const READ_RUNNING_MS = 1_000;

const LOOKS = /** @type {const} */ ({ not_verified: "", intact: "is-good", incomplete: "is-warn", broken: "is-bad" });

/** @param {{ mayBegin: boolean }} props */
export function Verification({ mayBegin }) {
  const report = useSignal(/** @type {Report | null} */ (null));
  const hasFailed = useSignal(false);
  const look = async (/** @type {() => Promise<Report>} */ request) => {
    hasFailed.value = false;
    try {
      report.value = await request();
    } catch (cause) {
      hasFailed.value = true;
      tellFailure(cause);
    }
  };
  const isRunning = report.value?.is_running ?? false;
  useEffect(() => { look(verification); }, []);
  useEffect(() => {
    // After a failure, nothing is sent until the reader asks for it.
    const again = () => isWatched() && !hasFailed.value && look(verification);
    const timer = setInterval(again, isRunning ? READ_RUNNING_MS : READ_AGAIN_MS);
    return () => clearInterval(timer);
  }, [isRunning]);
  const now = report.value;
  return html`
    <section class="card dash-part" data-testid="verification">
      <h2>${T.title}</h2>
      ${now ? html`<${Known} report=${now} />` : html`<${Awaited} hasFailed=${hasFailed.value} again=${() => look(verification)} />`}
      ${now && hasFailed.value && html`<${Awaited} hasFailed=${true} again=${() => look(verification)} />`}
      ${now && mayBegin && html`<div class="dash-line"><button type="button" class="button is-small" data-testid="verifyAudits"
        disabled=${isRunning} onClick=${() => look(verifyAudits)}>${T.verify}</button></div>`}
    </section>`;
}

/** @param {{ report: Report }} props */
function Known({ report }) {
  const { state, findings, finding_count: count, first_broken_row: first } = report;
  const isEnded = report.verified_at > 0;
  return html`
    <p><span class="badge ${LOOKS[state]}">${T.states[state]}</span> ${T.says[state]}
      ${isEnded && report.last_row > 0 && ` ${T.rows(report.first_row, report.last_row)}`}
      ${first !== null && ` ${T.first(first)}`}</p>
    ${isEnded && html`<p class="muted">
      ${T.verifiedAt} <${At} at=${report.verified_at} /> ${report.node_name && T.by(report.node_name)}. ${T.wholeAt}: <${At} at=${report.whole_at} />.</p>`}
    ${report.is_running && html`<p role="status" class="muted">
      ${report.checked_rows + report.rows_left > 0 ? T.running(report.checked_rows, report.rows_left) : T.soon}</p>`}
    ${report.failed_at > 0 && html`<p class="alert alert-warning">
      ${T.failedAt} <${At} at=${report.failed_at} />. ${T.retries}</p>`}
    ${findings.length > 0 && html`<ul aria-label=${T.findings}>
      ${findings.map(({ text }) => html`<li key=${text}>${text}</li>`)}
      ${count > findings.length && html`<li>${T.more(count - findings.length)}</li>`}</ul>`}
    <p class="help">${T.chain} <code class="log-command">quarterdeck audit verify</code></p>`;
}

/** @param {{ at: number }} props */
function At({ at }) {
  return html`<time title=${exactTime(at)}>${localTime(at)}</time>`;
}
