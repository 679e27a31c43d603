// The figures of the site: counts, and posts and authors for each day.

import { figures } from "../api/dashboard.js";
import { html, useEffect, useSignal } from "../lib.js";
import { sizeOf } from "../state/dashboard_size.js";
import { entryOf } from "../state/menu.js";
import { tellFailure } from "../state/notices.js";
import { settingsOf } from "../state/schema.js";
import { may } from "../state/session.js";
import { Plot } from "../widgets/dashboard_plot.js";
import { Awaited, Loading } from "../widgets/loading.js";
import { SettingGroups, SettingsFrame } from "./settings.js";
import { STATISTICS as T } from "./statistics_texts.js";

export { Plot };

/** @typedef {import("../api/dashboard.js").Figure} Figure */
/** @typedef {{ label: string, values: number[] }} Daily */

/** The number of days that the server counts at most. */
const DAYS = 30;

const DAY_MS = 86_400_000;

/** The value of a figure that the server does not count. */
const NOT_COUNTED = -1;

const NUMBER = new Intl.NumberFormat();
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

/** @param {{ address: string }} props */
export function Page({ address }) {
  const entry = entryOf(address);
  return html`
    <${SettingsFrame} title=${entry?.label ?? ""} category=${entry?.category ?? ""}>
      ${may("get_analytics") ? html`<${Counts} /><${Posts} /><${Authors} />` : html`<p class="help">${T.refused}</p>`}
      <${SettingGroups} settings=${settingsOf(address)} title=${T.settings} />
    <//>`;
}

function Counts() {
  const counts = useSignal(/** @type {{ figures: Figure[], ageS: number } | null} */ (null));
  const isCounting = useSignal(false);
  const count = async () => {
    isCounting.value = true;
    try {
      const [standard, extra] = await Promise.all([figures("standard"), figures("extra_counts")]);
      counts.value = {
        figures: [...standard.figures, ...extra.figures].sort(inOrder), ageS: Math.max(standard.ageS, extra.ageS),
      };
    } catch (cause) {
      tellFailure(cause);
    }
    isCounting.value = false;
  };
  useEffect(() => { count(); }, []);
  const known = counts.value;
  return html`
    <section class="card dash-part" data-testid="counts">
      <div class="dash-line"><h2>${T.now}</h2><span class="muted">${known && T.counted(known.ageS)}</span>
        <button type="button" class="button is-small" disabled=${isCounting.value} onClick=${count}>${T.again}</button></div>
      ${known ? html`<dl class="dash-figures">${known.figures.map(({ name, value }) => html`
        <div key=${name} class="dash-figure" data-testid="figure-${name}">
          <dt>${T.names[name] ?? name}</dt><dd>${said(name, value)}</dd></div>`)}</dl>`
        : isCounting.value && html`<${Loading} />`}
    </section>`;
}

/** Compares figures by the order of their names here. @param {Figure} one @param {Figure} other */
function inOrder(one, other) {
  const names = Object.keys(T.names);
  return names.indexOf(one.name) - names.indexOf(other.name);
}

/** Returns the text of a figure. @param {string} name @param {number} value */
function said(name, value) {
  if (value === NOT_COUNTED) return T.notCounted;
  return name === "total_file_size" ? sizeOf(value) : NUMBER.format(value);
}

function Posts() {
  const { rows, ...reading } = useFigures(["post_counts_day", "bot_post_counts_day"]);
  const [all, bots] = rows ?? [];
  const series = rows && [{ label: T.byAll, values: daily(all) }, { label: T.byBots, values: daily(bots) }];
  return html`<${Daily} title=${T.posts} id="posts" series=${series} reading=${reading} note=${(/** @type {Daily} */ { label, values }) =>
    T.sum(label, NUMBER.format(values.reduce((sum, value) => sum + value, 0)))} />`;
}

function Authors() {
  const { rows, ...reading } = useFigures(["user_counts_with_posts_day"]);
  const isCounted = !rows?.[0].some(({ value }) => value === NOT_COUNTED);
  const series = rows && [{ label: T.authorsName, values: daily(rows[0]) }];
  return html`<${Daily} title=${T.authors} id="authors" series=${series} reading=${reading} isCounted=${isCounted}
    note=${(/** @type {Daily} */ { label, values }) => T.most(label, NUMBER.format(Math.max(...values)))} />`;
}

/** Reads groups of figures once; again after a failure, if that is wanted. @param {string[]} names */
function useFigures(names) {
  const rows = useSignal(/** @type {Figure[][] | null} */ (null));
  const hasFailed = useSignal(false);
  const again = async () => {
    hasFailed.value = false;
    try {
      rows.value = (await Promise.all(names.map(figures))).map((one) => one.figures);
    } catch (cause) {
      hasFailed.value = true;
      tellFailure(cause);
    }
  };
  useEffect(() => { again(); }, []);
  return { rows: rows.value, hasFailed: hasFailed.value, again };
}

/** Returns the days that are shown, as numbers from 1970, the oldest first. */
function days() {
  const today = Math.floor(Date.now() / DAY_MS);
  return Array.from({ length: DAYS }, (_, index) => today - DAYS + index);
}

/** Returns the value of each day. The server leaves days without any out. @param {Figure[]} rows */
function daily(rows) {
  const known = new Map(rows.map(({ name, value }) => [name, value]));
  return days().map((day) => known.get(new Date(day * DAY_MS).toISOString().slice(0, 10)) ?? 0);
}

/** Returns the start of a day of UTC as if it were one of the reader's zone, in which the plot names days.
 * @param {number} day */
function inPlot(day) {
  const date = new Date(day * DAY_MS);
  return new Date(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()).getTime() / 1000;
}

/** @param {{ title: string, id: string, series: Daily[] | null, reading: { hasFailed: boolean, again: () => void },
 *   note: (series: Daily) => string, isCounted?: boolean }} props */
function Daily({ title, id, series, reading, note, isCounted = true }) {
  const all = days();
  return html`
    <section class="card dash-part" data-testid=${id}>
      <div><h2>${title}</h2><p class="help">${T.days(DAYS)}</p></div>
      ${!series ? html`<${Awaited} ...${reading} />` : !isCounted ? html`<p>${T.notCountedHelp}</p>` : html`
        <p>${series.map(note).join(" · ")}</p>
        <${Plot} form="bars" label="${title}. ${series.map(note).join(". ")}" times=${all.map(inPlot)} series=${series}
          say=${(/** @type {number} */ value) => NUMBER.format(value)} />
        <details class="more">
          <summary><span>${T.table}</span></summary>
          <table class="dash-days">
            <thead><tr><th scope="col">${T.day}</th>${series.map(({ label }) => html`<th scope="col">${label}</th>`)}</tr></thead>
            <tbody>${all.map((day, index) => html`
              <tr key=${day}><th scope="row">${DATE.format(day * DAY_MS)}</th>
                ${series.map(({ values }) => html`<td>${NUMBER.format(values[index])}</td>`)}</tr>`).reverse()}</tbody>
          </table>
        </details>`}
    </section>`;
}
