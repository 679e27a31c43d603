// Plots of what is measured since the page was opened. The samples stay while other pages are open.

import { answeredMs, figures } from "../api/dashboard.js";
import { html, signal, useEffect } from "../lib.js";
import { DASHBOARD as T } from "../pages/dashboard_texts.js";
import { isExpired, may } from "../state/session.js";

/** @typedef {{ at: number, latency: number | null, sockets: number | null, connections: number | null }} Sample */

const SAMPLE_AGAIN_MS = 10_000;

/** The number of samples that are kept: those of an hour. */
const MAX_SAMPLES = 360;

const samples = signal(/** @type {Sample[]} */ ([]));

/** The element that draws. The page of the statistics has it in its file, which is loaded when there are two samples. */
const drawing = signal(/** @type {{ Plot: any } | null} */ (null));

export function Live() {
  useEffect(() => {
    const take = async () => {
      if (document.visibilityState !== "visible" || isExpired.value) return;
      const sample = await measured();
      samples.value = [...samples.value, ...gapBefore(sample), sample].slice(-MAX_SAMPLES);
    };
    take();
    const timer = setInterval(take, SAMPLE_AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  const all = samples.value;
  const isPlotted = all.length > 1;
  useEffect(() => {
    if (isPlotted) import("../pages/statistics.js").then(({ Plot }) => { drawing.value = { Plot }; }, () => {});
  }, [isPlotted]);
  const Plot = drawing.value?.Plot;
  const times = all.map(({ at }) => at);
  const plot = (/** @type {"latency" | "sockets" | "connections"} */ name, say = /** @type {(value: number) => string} */ (String)) => {
    const values = all.map((sample) => sample[name]);
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return null;
    const title = T.plots[name];
    const last = say(known[known.length - 1]);
    return html`
      <figure key=${name} class="dash-plot" data-testid="plot-${name}">
        <figcaption><span>${title}</span> <b>${last}</b></figcaption>
        ${known.length < 2 || !Plot ? html`<p class="help">${T.first}</p>` : html`
          <${Plot} label=${T.summary(title, last, say(Math.max(...known)))} times=${times}
            series=${[{ label: title, values }]} height=${130} say=${say} />`}
      </figure>`;
  };
  if (all.length === 0) return null;
  return html`
    <section class="card dash-part" data-testid="live">
      <h2>${T.live}</h2>
      <p class="help">${T.liveLead}</p>
      <div class="dash-plots">${plot("latency", T.ms)}${plot("sockets")}${plot("connections")}</div>
    </section>`;
}

/** Measures once. A figure that cannot be read is `null`. @returns {Promise<Sample>} */
async function measured() {
  const counts = may("get_analytics") ? await figures("standard").catch(() => null) : null;
  const value = (/** @type {string} */ name) => counts?.figures.find((figure) => figure.name === name)?.value ?? null;
  return {
    at: Date.now() / 1000,
    latency: answeredMs.value,
    sockets: value("total_websocket_connections"),
    connections: value("total_master_db_connections"),
  };
}

/** Returns a sample without values if there were none for some time, so that no line crosses this time.
 * @param {Sample} next @returns {Sample[]} */
function gapBefore(next) {
  const last = samples.value[samples.value.length - 1];
  const isGap = last && (next.at - last.at) * 1000 > 3 * SAMPLE_AGAIN_MS;
  return isGap ? [{ at: last.at + 1, latency: null, sockets: null, connections: null }] : [];
}
