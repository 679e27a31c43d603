// A line of the log: as a row, and with all its fields.

import { html, useEffect, useRef, useSignal } from "../lib.js";
import { LOGS as T } from "../pages/logs_texts.js";
import { fieldsOf, fieldText } from "../state/logs.js";
import { exactTime, localTime } from "../state/logs_times.js";
import { linkTo } from "../state/router.js";
import { TEXTS } from "../texts.js";
import { Icon } from "./icon.js";

/** @typedef {import("../state/logs.js").Line} Line */

/** The looks of levels that need attention. */
const LOOKS = /** @type {Record<string, string>} */ ({
  error: "is-bad", critical: "is-bad", fatal: "is-bad", panic: "is-bad", warn: "is-warn",
});

/** @param {{ line: Line, isPlain: boolean }} props */
export function LogRow({ line, isPlain }) {
  const { at, level, message, server } = line;
  const fields = fieldText(line);
  const time = html`<time class="log-time" title=${exactTime(at)}>${localTime(at)}</time>`;
  if (isPlain) return html`${time} <span class="log-level ${LOOKS[level] ?? ""}">${level.toUpperCase()}</span> ${server && `${server} `}${message} ${fields}`;
  return html`
    ${time}<span class="badge ${LOOKS[level] ?? ""}">${level}</span>
    <span class="log-text">${server && html`<span class="badge">${server}</span> `}${message}${fields && html` <span class="muted">${fields}</span>`}</span>`;
}

/** @param {{ line: Line, hasAudits: boolean, onClose: () => void }} props */
export function LineDetails({ line, hasAudits, onClose }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const isCopied = useSignal("");
  useEffect(() => place.current?.scrollIntoView({ block: "nearest" }), []);
  const requestId = String(line.record["request.id"] ?? "");
  const json = JSON.stringify(line.record, null, 2);
  const copy = async () => {
    await navigator.clipboard.writeText(json);
    isCopied.value = json;
  };
  return html`
    <section ref=${place} class="log-details" aria-label=${T.details} data-testid="line">
      <header class="log-details-head">
        <h2>${T.details}</h2>
        ${navigator.clipboard && html`
          <button type="button" class="button is-small" onClick=${copy}>
            <${Icon} name="copy" />${isCopied.value === json ? TEXTS.copied : T.copy}</button>`}
        <button type="button" class="button is-quiet is-icon" aria-label=${TEXTS.close} onClick=${onClose}>
          <${Icon} name="close" /></button>
      </header>
      <dl class="log-facts">
        <dt>${T.time}</dt><dd>${localTime(line.at)} <span class="muted">${exactTime(line.at)}</span></dd>
        ${line.server && html`<dt>${T.server}</dt><dd>${line.server}</dd>`}
        <dt>${T.level}</dt><dd><span class="badge ${LOOKS[line.level] ?? ""}">${line.level}</span></dd>
        <dt>${T.message}</dt><dd>${line.message}</dd>
        ${fieldsOf(line).map(([name, value]) => html`<dt key=${name}><code>${name}</code></dt><dd><code>${value}</code></dd>`)}
      </dl>
      ${requestId && html`
        <p class="log-links">
          <a href=${linkTo("reporting/server_logs", `request=${requestId}`)}>${T.sameRequest}</a>
          ${hasAudits && html`
            <a href=${linkTo("compliance/audit_logging", `request=${requestId}&at=${line.at}`)}>${T.auditRecord}</a>`}
        </p>`}
    </section>`;
}
