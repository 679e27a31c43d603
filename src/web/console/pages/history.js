// The history of the configuration: the versions, the difference of two, and the way back to one.

import { html, useEffect, useRef, useSignal } from "../lib.js";
import { newest, waiting } from "../state/confirmation.js";
import { chosen, compare, comparison, hasFailed, isComparing, openPage, page, PER_PAGE, reset, toggle, versions } from "../state/history.js";
import { ChangeTable } from "../widgets/history_changes.js";
import { RollBack } from "../widgets/history_rollback.js";
import { Time } from "../widgets/history_time.js";
import { authorOf, VersionRow } from "../widgets/history_version.js";
import { Icon } from "../widgets/icon.js";
import { Awaited } from "../widgets/loading.js";
import { PageFrame } from "../widgets/page_frame.js";
import { TEXTS } from "../texts.js";
import { HISTORY as T } from "./history_texts.js";

export function Page() {
  const target = useSignal(/** @type {import("../state/history.js").Version | null} */ (null));
  useEffect(() => reset, []);
  // A version that came meanwhile, and the end of a wait, change the list.
  useEffect(() => {
    openPage(page.value);
  }, [newest.value, waiting.value]);
  return html`
    <${PageFrame} title=${T.title} category="Reporting" lead=${T.lead}>
      <${Difference} />
      <section class="card versions" aria-labelledby="versions">
        <header class="card-head">
          <h2 id="versions">${T.versions}</h2>
          <${CompareLine} />
        </header>
        ${versions.value === null ? html`
          <div class="version-none"><${Awaited} hasFailed=${hasFailed.value} again=${() => openPage(page.value)} /></div>` : html`
          ${versions.value.length === 0 && html`<p class="help version-none">${page.value === 0 ? T.unchanged : T.none}</p>`}
          <ul>
            ${versions.value.map((version) => html`
              <${VersionRow} key=${version.id} version=${version} onChoose=${() => toggle(version)}
                isChosen=${chosen.value.some(({ id }) => id === version.id)}
                onRollBack=${() => { target.value = version; }} />`)}
          </ul>
          <${Pages} count=${versions.value.length} />`}
      </section>
      ${target.value && html`<${RollBack} version=${target.value} onClose=${() => { target.value = null; }} />`}
    <//>`;
}

function CompareLine() {
  const count = chosen.value.length;
  return html`
    <div class="compare-line">
      <span class="help" role="status">${count === 0 ? T.compareHelp : T.chosen(count)}</span>
      <button type="button" class="button is-small" id="compareVersions" disabled=${count < 2 || isComparing.value}
        onClick=${compare}>${T.compare}</button>
    </div>`;
}

function Difference() {
  const section = useRef(/** @type {HTMLElement | null} */ (null));
  const open = comparison.value;
  useEffect(() => {
    section.current?.scrollIntoView({ block: "nearest" });
    section.current?.focus({ preventScroll: true });
  }, [open]);
  return open && html`
    <section ref=${section} class="card comparison" aria-labelledby="versionDifference" tabindex="-1"
        data-testid="versionDifference">
      <header class="card-head">
        <div>
          <h2 id="versionDifference">${T.difference}</h2>
          <p class="help"><${Time} ms=${open.before.create_at} />, ${authorOf(open.before)} → ${" "}
            <${Time} ms=${open.after.create_at} />, ${authorOf(open.after)}</p>
        </div>
        <button type="button" class="button is-quiet is-icon" aria-label=${TEXTS.close} onClick=${reset}>
          <${Icon} name="close" /></button>
      </header>
      ${open.changes.length === 0
        ? html`<p class="help version-none">${T.same}</p>`
        : html`<${ChangeTable} changes=${open.changes} />`}
    </section>`;
}

/** @param {{ count: number }} props the number of versions on the open page */
function Pages({ count }) {
  const isFirst = page.value === 0;
  const isLast = count < PER_PAGE;
  if (isFirst && isLast) return null;
  return html`
    <nav class="pages-line" aria-label=${T.versions}>
      <button type="button" class="button is-small" disabled=${isFirst} onClick=${() => openPage(page.value - 1)}>
        ${T.newer}</button>
      <span class="muted" role="status">${T.page(page.value + 1)}</span>
      <button type="button" class="button is-small" disabled=${isLast} onClick=${() => openPage(page.value + 1)}>
        ${T.older}</button>
    </nav>`;
}
