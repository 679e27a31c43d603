// The inputs of filters: a range of time, a text, a server.

import { html, useId } from "../lib.js";
import { LOGS, RANGE as T } from "../pages/logs_texts.js";
import { SPAN_KEYS } from "../state/logs_times.js";

/** @param {{ range: import("../state/logs_times.js").Range, onChange: (range: import("../state/logs_times.js").Range) => void }} props */
export function RangeInputs({ range, onChange }) {
  const id = useId();
  const bound = (/** @type {"from" | "to"} */ name) => html`
    <div class="field">
      <label for=${`${id}-${name}`}>${T[name]}</label>
      <input id=${`${id}-${name}`} data-testid=${`range-${name}`} class="input" type="datetime-local" step="1"
        value=${range[name]}
        onInput=${(/** @type {Event} */ event) => onChange({ ...range, [name]: valueOf(event) })} />
    </div>`;
  return html`
    <div class="field">
      <label for=${`${id}-span`}>${T.time}</label>
      <select id=${`${id}-span`} data-testid="range-span" class="input"
          onChange=${(/** @type {Event} */ event) => onChange({ ...range, span: valueOf(event) })}>
        ${SPAN_KEYS.map((key) => html`
          <option key=${key} value=${key} selected=${key === range.span}>${T.spans[key]}</option>`)}
      </select>
    </div>
    ${range.span === "between" && html`${bound("from")}${bound("to")}`}`;
}

/** A text field of a filter.
 * @param {{ name: string, label: string, help?: string, value: string, onChange: (value: string) => void }} props */
export function FilterField({ name, label, help = "", value, onChange }) {
  const id = useId();
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <input id=${id} data-testid=${name} class="input" autocomplete="off" spellcheck=${false} value=${value}
        title=${help || null} onInput=${(/** @type {Event} */ event) => onChange(valueOf(event))} />
    </div>`;
}

/** The choice of a server, where there are several. One that is chosen stays in the list while it is away.
 * @param {{ servers: string[], value: string, onChange: (value: string) => void }} props */
export function ServerInput({ servers, value, onChange }) {
  const id = useId();
  if (servers.length < 2 && !value) return null;
  return html`
    <div class="field">
      <label for=${id}>${LOGS.server}</label>
      <select id=${id} data-testid="filter-server" class="input"
          onChange=${(/** @type {Event} */ event) => onChange(valueOf(event))}>
        ${["", ...new Set([...servers, ...(value ? [value] : [])])].map((name) => html`
          <option key=${name} value=${name} selected=${name === value}>${name || LOGS.allServers}</option>`)}
      </select>
    </div>`;
}

/** @param {Event} event */
function valueOf(event) {
  return /** @type {HTMLInputElement} */ (event.target).value;
}
