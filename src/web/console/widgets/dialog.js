// A dialog in front of the page. The browser keeps the focus inside; at the end it goes back to where it was.

import { html, useEffect, useId, useMemo, useRef } from "../lib.js";

/** The element that had the focus last. A button that is disabled while it works loses the focus. */
let latest = /** @type {Element | null} */ (null);

document.addEventListener("focusin", (event) => {
  latest = /** @type {Element} */ (event.target);
});

/**
 * @param {{ title: string, id?: string, isWide?: boolean, onClose: () => void, children?: any, actions: any }} props
 *   `onClose` is called for the Escape key
 */
export function Dialog({ title, id, isWide = false, onClose, children, actions }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const label = useId();
  const before = useMemo(() => (document.activeElement === document.body ? latest : document.activeElement), []);
  useEffect(() => {
    const element = dialog.current;
    if (element && !element.open) element.showModal();
    return () => {
      element?.close();
      requestAnimationFrame(() => giveFocusBack(before));
    };
  }, []);
  const cancelled = (/** @type {Event} */ event) => {
    event.preventDefault();
    onClose();
  };
  return html`
    <dialog ref=${dialog} id=${id} class=${isWide ? "dialog is-wide" : "dialog"} aria-labelledby=${label}
        onCancel=${cancelled}>
      <h2 id=${label}>${title}</h2>
      <div class="dialog-body">${children}</div>
      <div class="dialog-actions">${actions}</div>
    </dialog>`;
}

/** Gives the focus back: to the element that had it, to the dialog below if that is busy, or to the heading of the page
 * if the element went. @param {Element | null} before */
function giveFocusBack(before) {
  if (document.activeElement !== document.body) return;
  /** @type {HTMLElement | null} */ (before)?.focus({ preventScroll: true });
  if (document.activeElement !== document.body) return;
  /** @type {NodeListOf<HTMLElement>} */
  const headings = document.querySelectorAll("#page h1, dialog[open] h2");
  const heading = [...headings].at(-1);
  heading?.setAttribute("tabindex", "-1");
  heading?.focus({ preventScroll: true });
}
