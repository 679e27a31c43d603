// A part of an account that is loaded by itself: a heading, then the content, a sign that it is on its way, or a refusal.

import { ApiError } from "../api/client.js";
import { html, useEffect, useSignal } from "../lib.js";
import { USERS as T } from "../pages/users_texts.js";
import { Loading } from "./loading.js";
import { Refusal } from "./users_question.js";

/** Loads data for a part, at first and again after a change. @param {() => Promise<any>} fetch */
export function usePart(fetch) {
  const data = useSignal(/** @type {any} */ (null));
  const failure = useSignal(/** @type {ApiError | null} */ (null));
  const load = async () => {
    try {
      data.value = await fetch();
      failure.value = null;
    } catch (cause) {
      failure.value = ApiError.of(cause);
    }
  };
  useEffect(() => {
    load();
  }, []);
  return { data, failure, load };
}

/** @param {{ id: string, title: string, help?: string, part: ReturnType<typeof usePart>, actions?: any, children?: any }} props */
export function Part({ id, title, help = "", part, actions = null, children }) {
  const failure = part.failure.value;
  return html`
    <section class="card rows users-part" data-testid=${id}>
      <div class="card-head"><div><h2>${title}</h2>${help && html`<p class="help">${help}</p>`}</div>${actions}</div>
      ${failure && html`
        <div class="users-none" role="alert"><${Refusal} error=${failure} />
          <button type="button" class="button is-small" onClick=${part.load}>${T.again}</button></div>`}
      ${!failure && part.data.value === null && html`<div class="users-wait"><${Loading} /></div>`}
      ${!failure && part.data.value !== null && children}
    </section>`;
}
