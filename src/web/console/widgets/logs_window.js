// A list of any number of rows of one height, of which only those in sight are elements. One row can be chosen.

import { html, useEffect, useLayoutEffect, useRef, useSignal } from "../lib.js";

/** The number of rows above and below the sight that are elements, too. */
const SPARE_ROWS = 12;

/** The keys that choose another row: the number of rows from the chosen one; a page is `page`. */
const KEYS = /** @type {Record<string, (page: number) => number>} */ ({
  ArrowDown: () => 1, ArrowUp: () => -1, PageDown: (page) => page, PageUp: (page) => -page,
  Home: () => -Infinity, End: () => Infinity,
});

/**
 * @param {object} props
 * @param {string} props.id
 * @param {string} props.label
 * @param {string} [props.look] a class for the rows
 * @param {number} props.count
 * @param {(index: number) => any} props.row the content of a row
 * @param {number} props.chosen the chosen row; -1 for none
 * @param {(index: number) => void} props.onChoose
 * @param {number} [props.added] the number of rows that were added in front so far
 */
export function RowWindow({ id, label, look = "", count, row, chosen, onChoose, added = 0 }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const space = useRef(/** @type {HTMLElement | null} */ (null));
  const rows = useRef(/** @type {HTMLElement | null} */ (null));
  const before = useRef(added);
  const size = useSignal({ row: 1, list: 0 });
  const first = useSignal(0);
  const { row: height, list: inSight } = size.value;
  const inPage = Math.max(1, Math.floor(inSight / height));
  const start = Math.max(0, Math.min(first.value, count - inPage) - SPARE_ROWS);
  const end = Math.min(count, first.value + inPage + SPARE_ROWS + 1);

  const scrolled = () => {
    if (list.current) first.value = Math.floor(list.current.scrollTop / size.value.row);
  };
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const measure = () => {
      const measured = parseFloat(getComputedStyle(element).getPropertyValue("--row-height")) || 1;
      size.value = { row: measured, list: element.clientHeight };
      scrolled();
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [look]);
  // Rows that are added in front must not move those in sight, except at the top, where new ones are to be seen.
  useLayoutEffect(() => {
    const inFront = added - before.current;
    before.current = added;
    if (space.current) space.current.style.height = `${count * height}px`;
    if (rows.current) rows.current.style.transform = `translateY(${start * height}px)`;
    if (list.current && inFront > 0 && list.current.scrollTop > 0) list.current.scrollTop += inFront * height;
  });
  useEffect(() => {
    if (chosen >= 0 && list.current) reveal(list.current, chosen * height, height);
  }, [chosen, height, inSight]);

  const pressed = (/** @type {KeyboardEvent} */ event) => {
    const step = KEYS[event.key]?.(inPage);
    if (event.key === "Escape") onChoose(-1);
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const from = chosen >= 0 ? chosen : step > 0 ? first.value - 1 : first.value + 1;
    onChoose(Math.max(0, Math.min(count - 1, from + step)));
  };
  const indices = Array.from({ length: Math.max(0, end - start) }, (_, index) => start + index);
  const isChosenInSight = chosen >= start && chosen < end;
  return html`
    <div ref=${list} id=${id} class="row-window ${look}" role="listbox" tabindex="0" aria-label=${label}
        aria-activedescendant=${isChosenInSight ? `${id}-${chosen}` : null} onScroll=${scrolled} onKeyDown=${pressed}>
      <div ref=${space} class="window-space" role="presentation">
        <div ref=${rows} class="window-rows" role="presentation">
          ${indices.map((index) => html`
            <div key=${index} id=${`${id}-${index}`} class=${index === chosen ? "window-row is-chosen" : "window-row"}
                role="option" aria-selected=${index === chosen ? "true" : "false"} aria-posinset=${index + 1}
                aria-setsize=${count} onClick=${() => onChoose(index === chosen ? -1 : index)}>${row(index)}</div>`)}
        </div>
      </div>
    </div>`;
}

/** Scrolls as little as needed. @param {HTMLElement} list @param {number} top @param {number} height */
function reveal(list, top, height) {
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + height > list.scrollTop + list.clientHeight) list.scrollTop = top + height - list.clientHeight;
}
