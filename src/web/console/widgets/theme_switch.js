// The switch between light and dark.

import { html } from "../lib.js";
import { chooseTheme, theme, THEMES } from "../state/theme.js";
import { TEXTS } from "../texts.js";
import { Icon } from "./icon.js";

export function ThemeSwitch() {
  return html`
    <div class="segments" role="radiogroup" aria-label=${TEXTS.theme}>
      ${THEMES.map((one) => html`
        <label class="segment is-icon" title=${TEXTS.themes[one]}>
          <input type="radio" name="theme" value=${one} checked=${theme.value === one} aria-label=${TEXTS.themes[one]}
            onChange=${() => chooseTheme(one)} />
          <${Icon} name=${one} />
        </label>`)}
    </div>`;
}
