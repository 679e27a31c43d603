// Plots of the figures of the server: the last hour, and then live.

import { html, signal, useEffect } from "../lib.js";
import { DASHBOARD as T } from "../pages/dashboard_texts.js";
import { figures, perMinute, readFigures, timesOf } from "../state/figures.js";
import { isWatched } from "../state/session.js";

const READ_AGAIN_MS = 10_000;

const BYTES_PER_MIB = 1_048_576;

/** The element that draws. The page of the statistics has it in its file, which is loaded when there are two samples. */
const drawing = signal(/** @type {{ Plot: any } | null} */ (null));

/** The time of the last response, and its failure. */
const readAt = signal(0);
const failure = signal("");

async function read() {
  if (!isWatched()) return;
  try {
    await readFigures();
    readAt.value = Date.now();
    failure.value = "";
  } catch (cause) {
    failure.value = /** @type {Error} */ (cause).message;
  }
}

/** @param {{ isShared: boolean }} props `isShared`: true if several servers are on the database */
export function Live({ isShared }) {
  useEffect(() => {
    read();
    const timer = setInterval(read, READ_AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  const shown = figures.value;
  const isPlotted = (shown?.numbers.length ?? 0) > 1;
  useEffect(() => {
    if (isPlotted) import("../pages/statistics.js").then(({ Plot }) => { drawing.value = { Plot }; }, () => {});
  }, [isPlotted]);
  if (!shown && !failure.value) return null;
  return html`
    <section class="card dash-part" data-testid="live">
      <h2>${T.live}</h2>
      <p class="help">${T.liveLead} ${shown && isShared && T.ofNode(shown.node_name)}</p>
      ${failure.value && html`<p class="refusal" role="status">${T.liveFailed} ${failure.value}</p>`}
      ${shown && html`<div class="dash-plots">${plotted(shown).map(({ name, say, series }) => html`
        <${Small} key=${name} name=${name} say=${say} series=${series} times=${timesOf(shown, readAt.value)} />`)}</div>`}
    </section>`;
}

/** Returns what is plotted. @param {import("../api/dashboard.js").ServerFigures} shown */
function plotted(shown) {
  const P = T.plots;
  const rate = (/** @type {number[]} */ counts) => perMinute(counts, shown.covered_ms);
  const scaled = (/** @type {(number | null)[]} */ values, /** @type {number} */ unit) =>
    values.map((value) => (value === null ? null : value / unit));
  const refused = shown.errors.map((count, index) => count - shown.server_errors[index]);
  const one = (/** @type {string} */ label, /** @type {(number | null)[]} */ values) => [{ label, values }];
  return [
    { name: "requests", say: String, series: one(P.requests, rate(shown.requests)) },
    { name: "errors", say: String, series: [...one(T.refused, rate(refused)), ...one(T.failed, rate(shown.server_errors))] },
    { name: "latency", say: T.ms, series: [...one(T.mean, scaled(shown.mean_us, 1000)), ...one(T.slow, scaled(shown.slow_us, 1000))] },
    { name: "memory", say: T.mib, series: one(P.memory, scaled(shown.memory_bytes, BYTES_PER_MIB)) },
    { name: "sockets", say: String, series: one(P.sockets, shown.websockets) },
    { name: "connections", say: String, series: one(P.connections, shown.database_connections) },
  ];
}

/** @param {{ name: string, say: (value: number) => string, times: number[],
 *   series: { label: string, values: (number | null)[] }[] }} props */
function Small({ name, say, times, series }) {
  const title = T.plots[/** @type {keyof typeof T.plots} */ (name)];
  const known = series.map(({ values }) => values.filter((value) => value !== null));
  const last = known.map((values) => (values.length === 0 ? "–" : say(values[values.length - 1]))).join(" / ");
  const most = known.map((values) => say(Math.max(0, ...values))).join(" / ");
  const Plot = drawing.value?.Plot;
  return html`
    <figure class="dash-plot" data-testid="plot-${name}">
      <figcaption><span>${title}</span> <b>${last}</b></figcaption>
      ${times.length < 2 || !Plot ? html`<p class="help">${T.first}</p>` : html`
        <${Plot} label=${T.summary(title, last, most)} times=${times} series=${series} height=${130} say=${say} />`}
    </figure>`;
}
