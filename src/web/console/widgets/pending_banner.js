// The note on every page about settings that wait for a restart.

import { html } from "../lib.js";
import { pending } from "../state/pending.js";
import { linkTo } from "../state/router.js";
import { settingAt } from "../state/schema.js";
import { TEXTS } from "../texts.js";
import { Icon } from "./icon.js";

/** The number of settings that are named. */
const MAX_NAMED = 6;

export function PendingBanner() {
  const known = pending.value.flatMap((path) => settingAt(path) ?? []);
  if (known.length === 0) return null;
  const links = known.slice(0, MAX_NAMED).map((setting, index) => html`${index > 0 && ", "}
    <a key=${setting.path} href=${linkTo(setting.page, setting.path)}>${setting.label}</a>`);
  return html`
    <div class="notice is-info" role="status" data-testid="pendingRestart">
      <${Icon} name="info" />
      <p class="notice-text">${TEXTS.pending(known.length)} ${links}${known.length > MAX_NAMED && " …"}</p>
    </div>`;
}
