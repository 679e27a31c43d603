// The support packet: prepared by the server, looked at, and only then saved as a file.

import { saveAs } from "../api/client.js";
import { supportPacket } from "../api/tools.js";
import { html, useEffect, useRef, useSignal } from "../lib.js";
import { TOOLS as T } from "../pages/tools_texts.js";
import { sizeOf } from "../state/dashboard_size.js";
import { textInZip } from "../state/dashboard_zip.js";
import { tellFailure } from "../state/notices.js";
import { TEXTS } from "../texts.js";

/** @typedef {{ name: string, why: string }} Named */

/**
 * @typedef {object} Packet
 * @property {string} name
 * @property {Blob} blob
 * @property {{ files: { name: string, bytes: number }[], taken_out: Named[], not_available: Named[], warnings: string[] } | null} manifest
 */

export function SupportPacket() {
  const withLogs = useSignal(false);
  const bytes = useSignal(0);
  const isWorking = useSignal(false);
  const packet = useSignal(/** @type {Packet | null} */ (null));
  const abort = useRef(new AbortController());
  useEffect(() => () => abort.current.abort(), []);
  const prepare = async () => {
    abort.current = new AbortController();
    bytes.value = 0;
    packet.value = null;
    isWorking.value = true;
    try {
      const { name, blob } = await supportPacket(withLogs.value, abort.current.signal, (now) => { bytes.value = now; });
      const text = await textInZip(blob, "manifest.json");
      packet.value = { name, blob, manifest: text === null ? null : JSON.parse(text) };
    } catch (cause) {
      tellFailure(cause);
    }
    isWorking.value = false;
  };
  return html`
    <section class="card dash-part" data-testid="packet">
      <h2>${T.packet}</h2>
      <p class="help">${T.packetHelp}</p>
      ${packet.value ? html`<${Prepared} packet=${packet.value} drop=${() => { packet.value = null; }} />` : html`
        <details class="more"><summary><span>${T.contentsTitle}</span></summary>
          <dl>${T.packetContents.map(([name, text]) => html`<dt><code>${name}</code></dt><dd>${text}</dd>`)}</dl></details>
        <div class="dash-line">
          <label class="pick"><input type="checkbox" checked=${withLogs.value} disabled=${isWorking.value}
            onChange=${(/** @type {any} */ event) => { withLogs.value = event.target.checked; }} /> ${T.withLogs}</label>
          <button type="button" class="button" id="preparePacket" disabled=${isWorking.value} onClick=${prepare}>${T.prepare}</button>
          ${isWorking.value && html`
            <span class="muted dash-line" role="status"><span class="spinner" aria-hidden="true"></span>
              ${T.preparing(sizeOf(bytes.value))}</span>
            <button type="button" class="button is-quiet" onClick=${() => abort.current.abort()}>${TEXTS.cancel}</button>`}
        </div>`}
    </section>`;
}

/** @param {{ packet: Packet, drop: () => void }} props */
function Prepared({ packet: { name, blob, manifest }, drop }) {
  const isSaved = useSignal(false);
  const save = () => {
    saveAs(blob, name);
    isSaved.value = true;
  };
  return html`
    <p role="status">${T.ready(name, sizeOf(blob.size))}</p>
    ${manifest && html`
      <div class="dash-manifest" tabindex="0" role="region" aria-label=${T.contents} data-testid="manifest">
        <table>
          <thead><tr><th scope="col">${T.file}</th><th scope="col">${T.size}</th></tr></thead>
          <tbody>${manifest.files.map((file) => html`
            <tr key=${file.name}><td><code>${file.name}</code></td><td>${sizeOf(file.bytes)}</td></tr>`)}</tbody>
        </table>
        <${Reasons} title=${T.takenOut(manifest.taken_out.length)} rows=${manifest.taken_out} />
        <${Reasons} title=${T.missing(manifest.not_available.length)} rows=${manifest.not_available} />
        ${manifest.warnings.length > 0 && html`<h3>${T.warnings}</h3>
          <ul>${manifest.warnings.map((warning) => html`<li>${warning}</li>`)}</ul>`}
      </div>`}
    <div class="dash-line">
      <button type="button" class="button is-primary" id="savePacket" onClick=${save}>${isSaved.value ? T.saved : T.save}</button>
      <button type="button" class="button" onClick=${drop}>${T.drop}</button>
    </div>`;
}

/** @param {{ title: string, rows: Named[] }} props */
function Reasons({ title, rows }) {
  if (rows.length === 0) return null;
  return html`
    <details class="more"><summary><span>${title}</span></summary>
      <table>
        <thead><tr><th scope="col">${T.name}</th><th scope="col">${T.why}</th></tr></thead>
        <tbody>${rows.map(({ name, why }) => html`<tr key=${name}><td><code>${name}</code></td><td>${why}</td></tr>`)}</tbody>
      </table></details>`;
}
