// The names of the libraries that pages use, from one place.

import { Fragment, h, render } from "./vendor/preact.mjs";
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.mjs";
import { batch, computed, effect, signal, useComputed, useSignal } from "./vendor/signals.mjs";
import htm from "./vendor/htm.mjs";

/** @template T @typedef {import("./vendor/signals.mjs").Signal<T>} Signal */

/** Makes elements from a template: html`<p class="help">${text}</p>`. */
const html = htm.bind(h);

export { html, render, Fragment, useEffect, useId, useLayoutEffect, useMemo, useRef, useState };
export { batch, computed, effect, signal, useComputed, useSignal };
