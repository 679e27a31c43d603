// A dialog in front of the page. The browser keeps the focus inside, and gives it back at the end.

import { html, useEffect, useId, useRef } from "../lib.js";

/**
 * @param {{ title: string, id?: string, isWide?: boolean, onClose: () => void, children?: any, actions: any }} props
 *   `onClose` is called for the Escape key
 */
export function Dialog({ title, id, isWide = false, onClose, children, actions }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const label = useId();
  useEffect(() => {
    const element = dialog.current;
    if (element && !element.open) element.showModal();
    return () => element?.close();
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
