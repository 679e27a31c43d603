// A plot of figures over time. What it shows is also said in text.

import { html, useEffect, useLayoutEffect, useRef, useSignal } from "../lib.js";
import { theme } from "../state/theme.js";
import uPlot from "../vendor/uplot.mjs";

/** @typedef {{ label: string, values: (number | null)[] }} Series */

/**
 * @typedef {object} Props
 * @property {string} label a sentence that says what the plot shows
 * @property {number[]} times in Unix seconds
 * @property {Series[]} series one or two
 * @property {"line" | "bars"} [form]
 * @property {number} [height] in pixels
 * @property {number} [least] the least upper end of the scale
 * @property {(value: number) => string} [say] makes the text of a value
 */

const COLORS = ["--accent", "--warn"];

const HALF_DAY_S = 43_200;

/** The steps of the scale: whole numbers only. */
const STEPS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();

const COMPACT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hour12: false });

/** @param {Props} props */
export function Plot({ label, times, series, form = "line", height = 190, least = 4, say = String }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | null} */ (null));
  const pointed = useSignal(/** @type {number | null} */ (null));
  const isDark = useSignal(matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const changed = () => { isDark.value = query.matches; };
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  const look = `${theme.value} ${isDark.value} ${form} ${series.length}`;
  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const size = () => ({ width: Math.max(element.clientWidth, 120), height });
    const point = (/** @type {number | null | undefined} */ index) => { pointed.value = index ?? null; };
    const made = new uPlot({ ...options(element, series, form, least, point), ...size() }, [], element);
    plot.current = made;
    const watching = new ResizeObserver(() => made.setSize(size()));
    watching.observe(element);
    return () => {
      watching.disconnect();
      made.destroy();
    };
  }, [look]);
  useLayoutEffect(() => {
    plot.current?.setData([times, ...series.map(({ values }) => values)]);
  }, [look, times, ...series.map(({ values }) => values)]);
  const index = pointed.value;
  const isPointed = index !== null && index < times.length;
  return html`
    <div class="plot">
      <div class="plot-place" role="img" aria-label=${label} ref=${place}></div>
      <p class="plot-readout">
        ${isPointed && html`<span class="muted">${(form === "bars" ? DAY : TIME).format(times[index] * 1000)}</span>`}
        ${(series.length > 1 || isPointed) && series.map((one, number) => html`
          <span key=${one.label}><span class="plot-key is-${number}" aria-hidden="true"></span>${one.label}${
            isPointed && html`: <b>${one.values[index] === null ? "–" : say(one.values[index] ?? 0)}</b>`}</span>`)}
      </p>
    </div>`;
}

/** Returns the options of the library, in the colours of the theme.
 * @param {Element} element @param {Series[]} series @param {"line" | "bars"} form @param {number} least
 * @param {(index: number | null | undefined) => void} point */
function options(element, series, form, least, point) {
  const styles = getComputedStyle(element);
  const color = (/** @type {string} */ name) => styles.getPropertyValue(name).trim();
  const paths = /** @type {any} */ (uPlot).paths;
  const isBars = form === "bars";
  const axis = { stroke: color("--muted"), font: "12px system-ui, sans-serif", ticks: { show: false } };
  const lines = series.map((_, number) => ({
    stroke: color(COLORS[number]),
    fill: isBars ? color(COLORS[number]) : number === 0 ? color("--accent-soft") : undefined,
    width: isBars ? 0 : 1.75,
    points: { show: false },
    ...(isBars ? { paths: paths.bars({ size: [number === 0 ? 0.66 : 0.3, 30], radius: 0.15 }) } : {}),
  }));
  const edge = isBars ? HALF_DAY_S : 0;
  return {
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: !isBars } },
    padding: [8, isBars ? 10 : 28, 0, 0],
    scales: {
      x: { range: (/** @type {any} */ _, /** @type {number} */ from, /** @type {number} */ to) => [from - edge, to + edge] },
      y: { range: (/** @type {any} */ _, /** @type {any} */ __, /** @type {number | null} */ to) => [0, Math.max((to ?? 0) * 1.12, least)] },
    },
    axes: [
      {
        ...axis, grid: { show: false }, size: 30, gap: 8, space: isBars ? 64 : 90,
        values: (/** @type {any} */ _, /** @type {number[]} */ marks) =>
          marks.map((mark) => (isBars ? DAY : TIME).format(mark * 1000)),
        ...(isBars ? { incrs: [1, 2, 5, 7, 14].map((days) => days * 2 * HALF_DAY_S) } : {}),
      },
      {
        ...axis, grid: { stroke: color("--line"), width: 1 }, size: 48, space: 34, incrs: STEPS,
        values: (/** @type {any} */ _, /** @type {number[]} */ marks) => marks.map((mark) => COMPACT.format(mark)),
      },
    ],
    series: [{}, ...lines],
    hooks: { setCursor: [(/** @type {any} */ made) => point(made.cursor.idx)] },
  };
}
