// Values of settings as people read and type them.

import { choiceName, choicesOf } from "./choices.js";

/** @typedef {import("../api/config.js").Setting} Setting */

/** Settings that are typed in a larger unit than they are stored in. */
const SCALES = /** @type {Record<string, { factor: number, unit: string }>} */ ({
  "FileSettings.MaxFileSize": { factor: 1 << 20, unit: "MiB" },
});

const UNITS = /** @type {Record<string, string>} */ ({
  ms: "milliseconds", s: "seconds", min: "minutes", h: "hours", d: "days", B: "bytes", px: "pixels",
});

/** Returns the unit in which a number is typed. @param {Setting} setting */
export function unitOf(setting) {
  return SCALES[setting.path]?.unit ?? UNITS[setting.unit ?? ""] ?? "";
}

/** Returns the text of a value in its field. @param {Setting} setting @param {any} value @returns {string} */
export function asText(setting, value) {
  if (value === null || value === undefined) return "";
  switch (setting.type) {
    case "int": return typeof value === "number" ? String(scaled(setting, value)) : String(value);
    case "string[]": return Array.isArray(value) ? value.join("\n") : String(value);
    case "object": case "object[]": case "map": case "raw_json":
      return typeof value === "string" ? value : JSON.stringify(value, null, 2);
    default: return String(value);
  }
}

/** Returns the value of a typed text; the text itself if it is no value of the setting's type.
 * @param {Setting} setting @param {string} text @returns {any} */
export function asValue(setting, text) {
  switch (setting.type) {
    case "int": return /^\s*-?\d+([.]\d+)?\s*$/.test(text) ? unscaled(setting, Number(text)) : text;
    case "string[]": return text.split("\n").map((line) => line.trim()).filter(Boolean);
    case "object": case "object[]": case "map": case "raw_json":
      try {
        return JSON.parse(text);
      } catch {
        return text;
      }
    default: return text;
  }
}

/** Returns a number with its unit in a form that is easy to read, if that says more than the number itself.
 * @param {Setting} setting @param {any} value */
export function readable(setting, value) {
  if (typeof value !== "number" || SCALES[setting.path]) return "";
  const steps = /** @type {Record<string, [number, string][]>} */ ({
    B: [[1 << 30, "GiB"], [1 << 20, "MiB"], [1 << 10, "KiB"]],
    ms: [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1000, "s"]],
    s: [[86_400, "d"], [3600, "h"], [60, "min"]],
    min: [[1440, "d"], [60, "h"]],
    h: [[24, "d"]],
  });
  const step = steps[setting.unit ?? ""]?.find(([size]) => Math.abs(value) >= size);
  return step ? `${Math.round((value / step[0]) * 100) / 100} ${step[1]}` : "";
}

/** Returns a value as one line, for a list of differences. @param {Setting | undefined} setting @param {any} value */
export function asLine(setting, value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return value ? "On" : "Off";
  if (setting && choicesOf(setting).includes(value)) return choiceName(setting.path, value);
  const text = setting ? asText(setting, value) : JSON.stringify(value);
  const unit = setting?.type === "int" ? ` ${unitOf(setting)}` : "";
  return `${text.replace(/\s+/g, " ")}${unit}`.trim();
}

/** @param {Setting} setting @param {number} value */
function scaled(setting, value) {
  const scale = SCALES[setting.path];
  return scale ? Math.round((value / scale.factor) * 1000) / 1000 : value;
}

/** @param {Setting} setting @param {number} value */
function unscaled(setting, value) {
  const scale = SCALES[setting.path];
  return scale ? Math.round(value * scale.factor) : value;
}
