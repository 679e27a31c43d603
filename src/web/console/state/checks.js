// Checks of typed values, as far as the page can tell. The server decides.

import { TEXTS } from "../texts.js";

const T = TEXTS.settings;

/** Returns the message about a value; empty if it can be sent.
 * @param {import("../api/config.js").Setting} setting @param {any} value @returns {string} */
export function problemOf(setting, value) {
  if (value === null && setting.nullable) return "";
  switch (setting.type) {
    case "int": {
      if (typeof value !== "number" || !Number.isInteger(value)) return T.notNumber;
      if (setting.minimum !== undefined && value < setting.minimum) return T.tooSmall(setting.minimum);
      if (setting.maximum !== undefined && value > setting.maximum) return T.tooLarge(setting.maximum);
      return "";
    }
    case "object": case "object[]": case "map": case "raw_json":
      return typeof value === "string" ? T.notJson : "";
    default: return "";
  }
}
