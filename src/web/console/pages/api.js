// The description of the API, in which operations can be tried. It is a page of its own, shown in a frame.

import { html } from "../lib.js";
import { SITE } from "../state/place.js";
import { TEXTS } from "../texts.js";
import { PageFrame } from "../widgets/page_frame.js";

const T = TEXTS.api;

export function Page() {
  const address = new URL("api/v4/openapi", SITE).href;
  return html`
    <${PageFrame} title=${T.title} category=${T.category} lead=${T.lead}
        actions=${html`<a class="button" href=${address} target="_blank" rel="noopener">${T.alone}</a>`}>
      <iframe class="api-frame" title=${T.frame} src=${address}></iframe>
    <//>`;
}
