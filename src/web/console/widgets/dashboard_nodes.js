// The servers on the same database, if there are several.

import { html } from "../lib.js";
import { DASHBOARD as T } from "../pages/dashboard_texts.js";
import { When } from "./dashboard_when.js";

/** @param {{ nodes: import("../api/dashboard.js").Node[] }} props */
export function Nodes({ nodes }) {
  if (nodes.length < 2) return null;
  const N = T.node;
  return html`
    <section class="card dash-part" data-testid="nodes">
      <h2>${T.nodes}</h2>
      <div class="dash-scroll" tabindex="0" role="region" aria-label=${T.nodes}><table class="dash-days dash-nodes">
        <thead><tr>${[N.name, N.version, N.address, N.since, N.lag].map((name) => html`<th key=${name} scope="col">${name}</th>`)}</tr></thead>
        <tbody>${nodes.map((node) => html`
          <tr key=${node.id}>
            <th scope="row">${node.name} ${node.is_self && html`<span class="badge">${T.isSelf}</span>`}</th>
            <td>${node.version}</td><td>${node.ipaddress || "–"}</td><td><${When} at=${node.start_at} /></td>
            <td>${T.lag(node.lag)}</td>
          </tr>`)}</tbody>
      </table></div>
    </section>`;
}
