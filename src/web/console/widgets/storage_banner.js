// The banner on every page while saved settings of a store are not in use.

import { current } from "../api/config.js";
import { html, useEffect } from "../lib.js";
import { storageState } from "../state/edits.js";
import { linkTo } from "../state/router.js";
import { TEXTS } from "../texts.js";
import { Icon } from "./icon.js";

const T = TEXTS.storage;

/** The time between two looks at a store that is not in use yet. */
const LOOK_AGAIN_MS = 5000;

export function StorageBanner() {
  const isShown = /=(refused|testing)/.test(storageState.value);
  useEffect(() => {
    if (!isShown) return;
    const look = () => current().then(({ storage }) => { storageState.value = storage; }, () => {});
    const timer = setInterval(look, LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [isShown]);
  const states = storageState.value.split(",").map((text) => text.trim().match(/^(\w+)=(refused|testing)(.*)$/));
  return states.filter((state) => state !== null).map(([, store, state, rest]) => html`
    <div class="notice is-warning" role="status" data-testid="storageBanner">
      <${Icon} name="warning" />
      <p class="notice-text">
        ${state === "refused" ? T.refused(T.stores[store]) : T.testing(T.stores[store])}
        ${rest && html` <code>${rest.replace(/^;\s*/, "")}</code>`}
        ${" "}<a href=${linkTo(store === "files" ? "environment/file_storage" : "environment/export_storage")}>
          ${T.open}</a>
      </p>
    </div>`);
}
