// The banner on every page about a change that is taken back unless it is confirmed, and about its end.

import { html, useEffect, useSignal } from "../lib.js";
import { CONFIRM as T } from "../pages/history_texts.js";
import {
  forget, HISTORY_PAGE, isConfirming, isOutdated, isOwn, keep, look, outcome, reload, secondsLeft, takeBack, waiting,
} from "../state/confirmation.js";
import { isChanged } from "../state/edits.js";
import { nameOf } from "../state/people.js";
import { linkTo } from "../state/router.js";
import { TEXTS } from "../texts.js";
import { Dialog } from "./dialog.js";
import { Icon } from "./icon.js";
import { ChangeTable } from "./history_changes.js";
import { Time } from "./history_time.js";

/** The time between two looks at a change that waits, in seconds. */
const LOOK_AGAIN_S = 5;

export function ConfirmationBanner() {
  const record = waiting.value;
  if (record?.confirmation) return html`<${Waiting} key=${record.id} record=${record} confirmation=${record.confirmation} />`;
  return outcome.value && html`<${Ended} end=${outcome.value} />`;
}

/** @param {{ record: import("../api/history.js").Version, confirmation: import("../api/history.js").Confirmation }} props */
function Waiting({ record, confirmation }) {
  const left = useSignal(secondsLeft(confirmation));
  const isBeforeStart = confirmation.stage === "before_start";
  useEffect(() => {
    let ticks = 0;
    const tick = () => {
      ticks += 1;
      left.value = secondsLeft(confirmation);
      const isDue = (left.value === 0 && !isBeforeStart) || ticks % LOOK_AGAIN_S === 0;
      if (isDue && document.visibilityState === "visible") look();
    };
    tick();
    const timer = setInterval(tick, 1000);
    document.addEventListener("visibilitychange", tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", tick);
    };
  }, [confirmation.until, confirmation.stage]);
  const isOver = !isBeforeStart && left.value === 0;
  const own = isOwn(record);
  return html`
    <div class=${isBeforeStart ? "notice is-info" : "notice is-warning is-urgent"} data-testid="confirmationBanner">
      <${Icon} name=${isBeforeStart ? "info" : "warning"} />
      <div class="notice-text">
        <p role="status">${isOver ? T.over : textOf(record, confirmation)}</p>
        <p class="confirm-more">
          ${!isBeforeStart && !isOver && html`<span>${T.left} <strong role="timer" data-testid="confirmationLeft">
            ${T.clock(left.value)}</strong></span>`}
          <${Time} ms=${record.create_at} />
          <a href=${linkTo(HISTORY_PAGE)}>${T.openHistory}</a>
        </p>
      </div>
      ${own && !isBeforeStart && !isOver && html`
        <button type="button" class="button is-primary" id="keepChange" disabled=${isConfirming.value} onClick=${keep}>
          ${isConfirming.value ? T.keeping : T.keep}</button>`}
      ${!isOver && html`<${TakeBack} record=${record} name=${own ? "" : nameOfAuthor(confirmation)} />`}
    </div>`;
}

/** The button that ends the wait, with a question before. @param {{ record: import("../api/history.js").Version, name: string }} props */
function TakeBack({ record, name }) {
  const isAsking = useSignal(false);
  const close = () => { isAsking.value = false; };
  const now = async () => {
    await takeBack();
    close();
  };
  return html`
    <button type="button" class="button" id="takeBackChange" disabled=${isConfirming.value}
      onClick=${() => { isAsking.value = true; }}>${T.takeBack}</button>
    ${isAsking.value && html`
      <${Dialog} title=${T.takeBackTitle} id="takeBack" onClose=${close} actions=${html`
          <button type="button" class="button" disabled=${isConfirming.value} onClick=${close}>${TEXTS.cancel}</button>
          <button type="button" class="button is-danger" id="takeBackNow" disabled=${isConfirming.value} onClick=${now}>
            ${isConfirming.value ? T.takingBack : T.takeBackNow}</button>`}>
        <p>${T.takeBackLead(name)}</p>
        <${ChangeTable} changes=${record.changes ?? []} />
      <//>`}`;
}

/** @param {import("../api/history.js").Confirmation} confirmation */
function nameOfAuthor({ user_id: id }) {
  return id ? nameOf(id) || T.someone : T.operator;
}

/** @param {import("../api/history.js").Version} record @param {import("../api/history.js").Confirmation} confirmation */
function textOf(record, confirmation) {
  const { stage, within } = confirmation;
  const name = nameOfAuthor(confirmation);
  if (stage === "before_start") {
    return isOwn(record) ? T.beforeStart(T.times(within)) : T.otherBeforeStart(name, T.times(within));
  }
  return isOwn(record) ? T.own : T.other(name);
}

/** @param {import("../state/confirmation.js").Outcome} end */
function textOfEnd(end) {
  if (end.kind === "over") return T.isOver;
  const { source, user_id: id } = end.record;
  return source === "taken_back" ? T.takenBackBy(id ? nameOf(id) || T.someone : T.operator) : T.takenBack;
}

/** @param {{ end: import("../state/confirmation.js").Outcome }} props */
function Ended({ end }) {
  const isTakenBack = end.kind === "taken_back";
  return html`
    <div class="notice is-warning" data-testid="confirmationEnd">
      <${Icon} name="undo" />
      <div class="notice-text">
        <p role="status">${textOfEnd(end)}${isOutdated() && isChanged.value && ` ${T.hasEdits}`}</p>
        <p class="confirm-more">
          ${isTakenBack && html`<${Time} ms=${end.record.create_at} />`}
          <a href=${linkTo(HISTORY_PAGE)}>${T.openHistory}</a>
          ${isOutdated() && !isChanged.value && html`
            <button type="button" class="link" id="reloadValues" onClick=${reload}>${T.reload}</button>`}
        </p>
      </div>
      <button type="button" class="button is-quiet is-icon" aria-label=${TEXTS.dismiss} onClick=${forget}>
        <${Icon} name="close" /></button>
    </div>`;
}
