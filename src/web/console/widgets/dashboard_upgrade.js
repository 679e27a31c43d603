// The upgrade of the server: its progress, and the restart into the new program.

import { beginUpgrade, restart, restartStatus, upgradeStatus } from "../api/tools.js";
import { html, useEffect, useSignal } from "../lib.js";
import { TOOLS as T } from "../pages/tools_texts.js";
import { tellFailure } from "../state/notices.js";
import { TEXTS } from "../texts.js";
import { Dialog } from "./dialog.js";
import { Icon } from "./icon.js";

/** @typedef {"looking" | "ready" | "running" | "complete" | "restarting"} Phase */

const LOOK_AGAIN_MS = 1_000;

const U = T.upgrade;

export function Upgrade() {
  const phase = useSignal(/** @type {Phase} */ ("looking"));
  const percentage = useSignal(0);
  const problem = useSignal("");
  const question = useSignal(/** @type {"begin" | "restart" | null} */ (null));
  const failed = (/** @type {unknown} */ cause) => {
    problem.value = /** @type {Error} */ (cause).message;
  };
  const look = async () => {
    const { percentage: done, error } = await upgradeStatus();
    percentage.value = done;
    problem.value = error ?? "";
    phase.value = done >= 100 ? "complete" : done > 0 ? "running" : "ready";
  };
  // The reason of a restart that stopped is shown, also if no server has a new program in place any more. Otherwise the
  // page is loaded again, once none has or the restart of servers is done. The state of one server alone is "none".
  const lookForRestart = async () => {
    const { state, leader, servers } = await restartStatus();
    if (state === "stopped" || state === "abandoned") {
      await look();
      const { name, reason } = servers.find((server) => server.state === "failed") ?? { name: leader, reason: state };
      problem.value = `${U.stopped} ${name}: ${reason}`;
    } else if (state === "done" || state === "none" && (await upgradeStatus()).percentage < 100) location.reload();
  };
  useEffect(() => { look().catch(failed); }, []);
  const now = phase.value;
  useEffect(() => {
    if (now !== "running" && now !== "restarting") return undefined;
    const timer = setInterval(async () => {
      // Requests fail while the server is away.
      await (now === "running" ? look() : lookForRestart()).catch(() => {});
    }, LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [now]);
  const act = async () => {
    const isRestart = question.value === "restart";
    question.value = null;
    problem.value = "";
    try {
      await (isRestart ? restart() : beginUpgrade());
      phase.value = isRestart ? "restarting" : "running";
    } catch (cause) {
      failed(cause);
      tellFailure(cause);
    }
  };
  const close = () => { question.value = null; };
  return html`
    <section class="card rows">
      <h2>${U.title}</h2>
      <div class="row" data-testid="upgrade">
        <div class="row-head"><span class="label">${U.label}</span></div>
        <div class="row-body">
          <p class="help">${U.help}</p>
          <div role="status" class="dash-line">
            ${now === "ready" && html`<button type="button" class="button" id="beginUpgrade"
              onClick=${() => { question.value = "begin"; }}>${U.begin}</button>`}
            ${now === "running" && html`<progress aria-label=${U.label} max="100" value=${percentage.value}></progress>
              <span>${U.running(percentage.value)}</span>`}
            ${now === "complete" && html`<span>${U.complete}</span><button type="button" class="button" id="restartServer"
              onClick=${() => { question.value = "restart"; }}>${U.restart}</button>`}
            ${now === "restarting" && html`<span class="spinner" aria-hidden="true"></span><span>${U.restarting}</span>`}
          </div>
          ${problem.value && html`<p class="alert alert-warning"><${Icon} name="warning" />${problem.value}</p>`}
        </div>
      </div>
      ${question.value && html`
        <${Dialog} title=${U[question.value]} onClose=${close} actions=${html`
          <button type="button" class="button" onClick=${close}>${TEXTS.cancel}</button>
          <button type="button" class="button is-primary" id="confirmUpgrade" onClick=${act}>${U[question.value]}</button>`}>
          <p>${U.questions[question.value]}</p>
        <//>`}
    </section>`;
}
