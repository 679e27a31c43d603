// The console as a whole: the login, a refusal, or menu and page.

import { html, useEffect, useRef, useSignal } from "../lib.js";
import { loadFirst } from "../pages.js";
import { discard } from "../state/edits.js";
import { giveUp, isAsked, prove } from "../state/reauthentication.js";
import { phase, failure, isExpired, leaveExpired, loginNote, logout, toLogin, user } from "../state/session.js";
import { address, beforeLeaving, held, leave, open, stay } from "../state/router.js";
import { entryOf, firstPage } from "../state/menu.js";
import { TEXTS } from "../texts.js";
import { Dialog } from "./dialog.js";
import { ConfirmationBanner } from "./history_banner.js";
import { Icon } from "./icon.js";
import { Loading } from "./loading.js";
import { LoginForm } from "./login_form.js";
import { Notices } from "./notices.js";
import { OpenPage } from "./open_page.js";
import { PendingBanner } from "./pending_banner.js";
import { Sidebar } from "./sidebar.js";
import { StorageBanner } from "./storage_banner.js";
import { ThemeSwitch } from "./theme_switch.js";

export function Shell() {
  switch (phase.value) {
    case "starting": return html`<${Starting} />`;
    case "setup": return html`<${Setup} />`;
    case "anonymous": return html`<${Login} />`;
    case "refused": return html`<${Refused} />`;
    case "failed": return html`<${Failed} />`;
    case "ready": return html`<${Console} />`;
  }
}

function Brand() {
  return html`<span class="brand"><${Icon} name="wheel" /><span>${TEXTS.product}</span></span>`;
}

/** The frame, until it is known who the caller is. */
function Starting() {
  return html`
    <div class="shell">
      <header class="topbar"><${Brand} /></header>
      <nav class="sidebar" aria-label=${TEXTS.console}></nav>
      <main id="page"><div class="page"><${Loading} /></div></main>
    </div>`;
}

function Login() {
  useEffect(() => {
    document.title = `${TEXTS.login.title} · ${TEXTS.product}`;
  }, []);
  return html`
    <main class="alone">
      <div class="card is-narrow">
        <${Brand} />
        <h1>${TEXTS.login.title}</h1>
        <p class="page-lead">${TEXTS.login.lead}</p>
        ${loginNote.value && html`
          <p class="alert" role="status" data-testid="loginNote"><${Icon} name="info" /><span>${loginNote.value}</span></p>`}
        <${LoginForm} />
      </div>
      <${ThemeSwitch} />
    </main>`;
}

/** The page that makes the first account. Its code is loaded only then. */
function Setup() {
  const loaded = useSignal(/** @type {{ Page: any } | null} */ (null));
  useEffect(() => {
    loadFirst().then(({ Page }) => { loaded.value = { Page }; }, () => toLogin(TEXTS.updated));
  }, []);
  return html`
    <main class="alone">
      <div class="card is-narrow">
        <${Brand} />
        ${loaded.value ? html`<${loaded.value.Page} />` : html`<${Loading} />`}
      </div>
      <${ThemeSwitch} />
    </main>`;
}

function Refused() {
  const name = user.value?.username ?? "";
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    document.title = `${TEXTS.refused.title} · ${TEXTS.product}`;
    heading.current?.focus();
  }, []);
  return html`
    <main class="alone">
      <div class="card is-narrow">
        <${Brand} />
        <h1 ref=${heading} tabindex="-1">${TEXTS.refused.title}</h1>
        <p>${TEXTS.refused.text(name)}</p>
        <button type="button" class="button" onClick=${logout}>${TEXTS.logOut}</button>
      </div>
    </main>`;
}

function Failed() {
  const error = failure.value;
  return html`
    <main class="alone">
      <div class="card is-narrow">
        <${Brand} />
        <h1>${TEXTS.failed.title}</h1>
        <p role="alert">${error?.message}</p>
        ${error?.requestId && html`<p class="notice-request">${TEXTS.request} <code>${error.requestId}</code></p>`}
        <button type="button" class="button is-primary" onClick=${() => location.reload()}>${TEXTS.retry}</button>
      </div>
    </main>`;
}

function Console() {
  const isMenuOpen = useSignal(false);
  const page = address.value;
  const entry = entryOf(page);
  useEffect(() => {
    if (entry || !firstPage.value) return;
    // The page went with a permission, and its changes with it.
    discard();
    open(firstPage.value.address, "", true);
  }, [page, entry]);
  useEffect(() => {
    isMenuOpen.value = false;
  }, [page]);
  return html`
    <div id="adminConsoleWrapper" class=${isMenuOpen.value ? "shell is-menu-open" : "shell"}>
      <a class="skip" href="#page" onClick=${toPage}>${TEXTS.skip}</a>
      <header class="topbar">
        <button type="button" class="button is-quiet is-icon menu-button" aria-label=${TEXTS.menu}
            aria-expanded=${isMenuOpen.value} aria-controls="sidebar"
            onClick=${() => { isMenuOpen.value = !isMenuOpen.value; }}>
          <${Icon} name=${isMenuOpen.value ? "close" : "menu"} />
        </button>
        <${Brand} />
        <span class="topbar-space"></span>
        <${ThemeSwitch} />
        <span class="who" title=${user.value?.email}>${user.value?.username}</span>
        <button type="button" class="button is-quiet" aria-label=${TEXTS.logOut} onClick=${() => beforeLeaving(logout)}>
          <${Icon} name="exit" /><span class="wide-only">${TEXTS.logOut}</span>
        </button>
      </header>
      <${Sidebar} />
      <main id="page" tabindex="-1" onFocusIn=${() => { isMenuOpen.value = false; }}>
        <${ConfirmationBanner} />
        <${StorageBanner} />
        <${PendingBanner} />
        <${Notices} />
        ${entry && html`<${OpenPage} key=${page} entry=${entry} />`}
      </main>
    </div>
    ${held.value && html`<${Leaving} />`}
    ${isAsked.value && !isExpired.value && html`<${Reauthentication} />`}
    ${isExpired.value && html`<${Expired} />`}`;
}

/** @param {Event} event */
function toPage(event) {
  event.preventDefault();
  document.getElementById("page")?.focus();
}

function Leaving() {
  return html`
    <${Dialog} id="confirmModal" title=${TEXTS.leaving.title} onClose=${stay} actions=${html`
      <button type="button" class="button" id="cancelModalButton" onClick=${stay}>${TEXTS.leaving.no}</button>
      <button type="button" class="button is-danger" id="confirmModalButton" onClick=${leave}>
        ${TEXTS.leaving.yes}
      </button>`}>
      <p>${TEXTS.leaving.text}</p>
    <//>`;
}

function Reauthentication() {
  const T = TEXTS.reauthentication;
  return html`
    <${Dialog} id="reauthentication" title=${T.title} onClose=${giveUp} actions=${null}>
      <p>${T.text}</p>
      <${LoginForm} name=${user.value?.username ?? ""} button=${T.button} act=${prove}>
        <button type="button" class="button" onClick=${giveUp}>${TEXTS.cancel}</button>
      <//>
    <//>`;
}

function Expired() {
  return html`
    <${Dialog} id="sessionEnded" title=${TEXTS.login.expiredTitle} onClose=${() => {}} actions=${null}>
      <p>${TEXTS.login.expired}</p>
      <${LoginForm} name=${user.value?.username ?? ""}>
        <button type="button" class="button is-quiet" onClick=${leaveExpired}>${TEXTS.login.leave}</button>
      <//>
    <//>`;
}
