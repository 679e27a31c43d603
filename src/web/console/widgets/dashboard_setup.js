// The three things to do on a new server, with their state.

import { html } from "../lib.js";
import { SETUP_LIST as T } from "../pages/dashboard_texts.js";
import { saved } from "../state/edits.js";
import { linkTo } from "../state/router.js";
import { choose, isDone, isListed, TASKS } from "../state/setup.js";
import { Icon } from "./icon.js";

export function SetupList() {
  if (!isListed.value) return null;
  const done = TASKS.filter(([task]) => isDone(task)).length;
  return html`
    <section class="card dash-part" data-testid="setup">
      <div class="setup-head">
        <div><h2>${T.title}</h2><p class="help" role="status">${T.progress(done, TASKS.length)}</p></div>
        <button type="button" class="button is-small" data-testid="hideSetup" onClick=${() => choose({ isHidden: true })}>${T.hide}</button>
      </div>
      <ol class="setup-list">${TASKS.map(([task, page, place]) => html`
        <${Item} key=${task} task=${task} href=${linkTo(page, place)} />`)}</ol>
    </section>`;
}

/** @param {{ task: import("../state/setup.js").Task, href: string }} props */
function Item({ task, href }) {
  const isOver = isDone(task);
  const { title, text, link } = T.tasks[task];
  const keeps = task === "storage" && !isOver;
  return html`
    <li class=${isOver ? "is-done" : ""} data-testid="setup-${task}">
      <span class="setup-mark"><${Icon} name=${isOver ? "check" : "dot"} /></span>
      <div>
        <p><b>${title}</b> <span class="badge ${isOver ? "is-good" : ""}">${isOver ? T.done : T.open}</span></p>
        ${!isOver && html`<p class="help">${keeps ? T.folder(saved("FileSettings.Directory") ?? "") : text}</p>`}
      </div>
      <div class="setup-acts">
        ${keeps && html`<button type="button" class="button is-small" data-testid="keepFolder"
          onClick=${() => choose({ keepsFolder: true })}>${T.keep}</button>`}
        <a class="button is-small" href=${href}>${isOver ? T.look : link}</a>
      </div>
    </li>`;
}
