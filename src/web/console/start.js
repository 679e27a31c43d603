// The start of the System Console.

import { html, render } from "./lib.js";
import { watchRefusals } from "./state/reauthentication.js";
import { watchRights } from "./state/rights.js";
import { start } from "./state/session.js";
import { watchAddress } from "./state/router.js";
import { applyTheme } from "./state/theme.js";
import { Shell } from "./widgets/shell.js";

// The address of the page changes, and a relative one would change with it.
for (const link of document.querySelectorAll("link")) {
  if (link.rel === "icon") link.href = String(link.href);
}
applyTheme();
watchAddress();
watchRefusals();
watchRights();
start();
render(html`<${Shell} />`, document.body);
