// The question before a roll back, with a preview of the settings that change.

import { ApiError } from "../api/client.js";
import * as api from "../api/history.js";
import { html, useEffect, useMemo, useSignal } from "../lib.js";
import { HISTORY as T } from "../pages/history_texts.js";
import { explainOther, newChoice, secondsOf } from "../state/confirmation.js";
import { load } from "../state/edits.js";
import { tell, tellFailure } from "../state/notices.js";
import { TEXTS } from "../texts.js";
import { Dialog } from "./dialog.js";
import { ChangeTable } from "./history_changes.js";
import { ConfirmOption } from "./history_option.js";
import { Time } from "./history_time.js";
import { Loading } from "./loading.js";

/** @param {{ version: import("../api/history.js").Version, onClose: () => void }} props */
export function RollBack({ version, onClose }) {
  const changes = useSignal(/** @type {api.Change[] | null} */ (null));
  const current = useSignal("");
  const isOvertaken = useSignal(false);
  const reason = useSignal("");
  const isBusy = useSignal(false);
  const choice = useMemo(newChoice, []);
  const preview = async () => {
    try {
      const found = await previewOf(version.id);
      current.value = found.current;
      changes.value = found.changes;
    } catch (cause) {
      tellFailure(cause);
      onClose();
    }
  };
  useEffect(() => { preview(); }, []);
  const paths = (changes.value ?? []).map(({ path }) => path);
  const rollBack = async () => {
    isBusy.value = true;
    try {
      await api.rollBack(version.id, current.value, reason.value, secondsOf(choice, paths));
      tell("success", T.done);
    } catch (cause) {
      if (cause instanceof ApiError && cause.status === 412) {
        await preview();
        isOvertaken.value = true;
        isBusy.value = false;
        return;
      }
      if (!explainOther(cause)) tellFailure(cause);
    }
    onClose();
    load(true).catch(tellFailure);
  };
  const isEmpty = paths.length === 0;
  return html`
    <${Dialog} id="rollBack" isWide title=${T.rollBackTitle} onClose=${onClose} actions=${html`
        <button type="button" class="button" disabled=${isBusy.value} onClick=${onClose}>${TEXTS.cancel}</button>
        <button type="button" class="button is-danger" id="rollBackNow" disabled=${isBusy.value || isEmpty}
          onClick=${rollBack}>${isBusy.value ? T.rollingBack : T.rollBackNow}</button>`}>
      <p><${Time} ms=${version.create_at} />${version.comment && html`: “${version.comment}”`}</p>
      ${isOvertaken.value && html`<div role="alert"><p class="refusal" data-testid="rollBackOvertaken">${T.overtaken}</p></div>`}
      ${changes.value === null ? html`<${Loading} />` : isEmpty ? html`<p>${T.rollBackSame}</p>` : html`
        <p class="help">${T.rollBackLead}</p>
        <div class="preview" tabindex="0" role="region" aria-label=${T.difference} data-testid="preview">
          <${ChangeTable} changes=${changes.value} before=${T.now} after=${T.then} />
        </div>
        <input class="input comment" aria-label=${T.reason} placeholder=${T.reason} maxlength="1024"
          data-testid="rollBackReason" value=${reason.value}
          onInput=${(/** @type {any} */ event) => { reason.value = event.target.value; }} />
        <${ConfirmOption} choice=${choice} paths=${paths} />`}
    <//>`;
}

/** Returns the version in force, and the changes from it to another one. @param {string} id */
async function previewOf(id) {
  const { records } = await api.versions(0, 1);
  const current = records[0]?.id ?? "";
  return { current, changes: current ? await api.difference(current, id) : [] };
}
