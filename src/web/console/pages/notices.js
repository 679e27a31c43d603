// The product notices that the caller has not read, and their settings.

import { html, useEffect, useMemo, useSignal } from "../lib.js";
import { shown } from "../state/edits.js";
import { entryOf } from "../state/menu.js";
import { work } from "../state/list_work.js";
import { loadUnread, markAsRead, unread } from "../state/product_notices.js";
import { settingsOf } from "../state/schema.js";
import { may } from "../state/session.js";
import { Awaited } from "../widgets/loading.js";
import { PRODUCT_NOTICES as T } from "./notices_texts.js";
import { SettingGroups, SettingsFrame } from "./settings.js";

/** @param {{ address: string }} props */
export function Page({ address }) {
  const entry = entryOf(address);
  return html`
    <${SettingsFrame} title=${entry?.label ?? ""} category=${entry?.category ?? ""}>
      <${Unread} />
      <${SettingGroups} settings=${settingsOf(address)} title=${T.settings} />
    <//>`;
}

function Unread() {
  const hasFailed = useSignal(false);
  const isWorking = useSignal(false);
  const abort = useMemo(() => new AbortController(), []);
  const attempt = (/** @type {() => Promise<void>} */ task) => work({ abort, hasFailed, isLoading: isWorking }, task);
  const look = () => attempt(loadUnread);
  useEffect(() => { look(); }, []);
  const list = unread.value;
  const read = (/** @type {string[]} */ ids) => attempt(() => markAsRead(ids));
  return html`
    <section class="card rows" data-testid="productNotices">
      <header class="card-head">
        <div><h2>${T.title}</h2><p class="help">${T.lead}</p></div>
        ${list && list.length > 1 && html`<button type="button" class="button is-small" id="readAllNotices" disabled=${isWorking.value}
          onClick=${() => read(list.map(({ id }) => id))}>${T.readAll}</button>`}
      </header>
      ${!list ? html`<${Awaited} hasFailed=${hasFailed.value} again=${look} />`
        : list.length === 0 ? html`<p class="row is-note">${reason()}</p>`
        : list.map((notice) => html`<${Notice} key=${notice.id} notice=${notice} isWorking=${isWorking.value} read=${read} />`)}
    </section>`;
}

/** Returns why there are no notices. */
function reason() {
  if (shown("AnnouncementSettings.NoticesURL") === "") return T.noSource;
  const isForAdmins = may("manage_system");
  return shown(`AnnouncementSettings.${isForAdmins ? "Admin" : "User"}NoticesEnabled`) === false ? T.off : T.none;
}

/** @param {{ notice: import("../api/notices.js").ProductNotice, isWorking: boolean, read: (ids: string[]) => void }} props */
function Notice({ notice: { id, title, description, sysAdminOnly, action, actionParam = "", actionText }, isWorking, read }) {
  // The address comes from outside, and one of another kind could run a script.
  const isLink = action === "url" && /^https?:\/\//i.test(actionParam);
  return html`
    <div class="row" data-testid=${`notice-${id}`}>
      <div class="row-head"><span class="label">${title}</span>${sysAdminOnly && html` <span class="badge">${T.admins}</span>`}</div>
      <div class="row-body">
        <p>${description}</p>
        <div class="dash-line">
          ${isLink && html`<a href=${actionParam} target="_blank" rel="noopener noreferrer">${actionText || T.open}</a>`}
          <button type="button" class="button is-small" aria-label=${`${T.read}: ${title}`} disabled=${isWorking}
            onClick=${() => read([id])}>${T.read}</button>
        </div>
      </div>
    </div>`;
}
