// The state of the pages of file and export storage: values of providers, and the test of what is on the screen.

import { ApiError } from "../api/client.js";
import { testStore } from "../api/files.js";
import { signal } from "../lib.js";
import { edit, edits, isInUse, sectionShown, shown } from "./edits.js";
import { settingAt } from "./schema.js";

/** @typedef {{ store: "files" | "export", prefix: string }} Place */

/** @typedef {{ name: string, driver: string, values: Record<string, any> }} Preset */

/** Values that providers need. Names in capitals stand for what is the user's own. @type {Preset[]} */
export const PRESETS = [
  { name: "AWS", driver: "amazons3", values: { AmazonS3Endpoint: "s3.amazonaws.com", AmazonS3SSL: true, AmazonS3SignV2: false } },
  { name: "MinIO", driver: "amazons3", values: { AmazonS3Endpoint: "localhost:9000", AmazonS3Region: "us-east-1", AmazonS3SSL: false } },
  { name: "Cloudflare R2", driver: "amazons3", values: { AmazonS3Endpoint: "ACCOUNT.r2.cloudflarestorage.com", AmazonS3Region: "auto", AmazonS3SSL: true } },
  { name: "Backblaze B2", driver: "amazons3", values: { AmazonS3Endpoint: "s3.REGION.backblazeb2.com", AmazonS3Region: "REGION", AmazonS3SSL: true } },
  { name: "Azure commercial", driver: "azureblob", values: { AzureCloud: "commercial", AzureEndpoint: "", AzureSSL: true } },
  { name: "Azure government", driver: "azureblob", values: { AzureCloud: "government", AzureEndpoint: "", AzureSSL: true } },
];

/** Settings that say where files are. Existing files do not move with a change of one. */
const PLACES = ["DriverName", "Directory", "AmazonS3Endpoint", "AmazonS3Bucket", "AmazonS3PathPrefix",
  "AzureStorageAccount", "AzureContainer", "AzurePathPrefix", "AzureEndpoint", "AzureCloud"];

/** The setting to look at first when a step fails and the remedy names none. */
const SUSPECTS = /** @type {Record<string, Record<string, string>>} */ ({
  amazons3: { resolve: "AmazonS3Endpoint", connect: "AmazonS3Endpoint", tls: "AmazonS3SSL",
    authenticate: "AmazonS3AccessKeyId", bucket: "AmazonS3Bucket", list: "AmazonS3PathPrefix" },
  azureblob: { resolve: "AzureStorageAccount", connect: "AzureEndpoint", tls: "AzureSSL",
    authenticate: "AzureAccessKey", bucket: "AzureContainer", list: "AzurePathPrefix" },
  local: { bucket: "Directory", settings: "Directory", list: "Directory", write: "Directory" },
});

/** Returns the path of a setting of a store. @param {Place} place @param {string} name */
export function pathIn(place, name) {
  return `FileSettings.${place.prefix}${name}`;
}

/** Puts the values of a provider on the screen. @param {Place} place @param {Preset} preset */
export function usePreset(place, preset) {
  for (const [name, value] of Object.entries(preset.values)) {
    const path = pathIn(place, name);
    if (settingAt(path)?.writable) edit(path, value);
  }
}

/** Puts the values of the store of files on the screen of the store of exports. Secrets cannot be copied. */
export function copyFromFiles() {
  const names = Object.keys(sectionShown("FileSettings")).filter((name) => name.startsWith("Export"));
  for (const name of names) {
    const [own, other] = [settingAt(`FileSettings.${name}`), settingAt(`FileSettings.${name.slice("Export".length)}`)];
    if (own?.writable && other && !own.secret) edit(own.path, shown(other.path));
  }
}

/** Returns true if a change would make the store look for files at another place. @param {Place} place */
export function isMoved(place) {
  return PLACES.some((name) => edits.value.has(pathIn(place, name)));
}

/** @typedef {{ step: string, outcome: "waiting" | "running" | "passed" | "failed", duration_ms: number }} LiveStep */

/**
 * @typedef {object} Outcome
 * @property {"idle" | "running" | "passed" | "failed"} phase
 * @property {import("../api/files.js").Report | null} report while the test runs, only the failure of a step
 * @property {LiveStep[]} steps the steps while the test runs
 * @property {string} message the refusal, if there is no report
 * @property {string} requestId
 * @property {string} tested the settings that were tested, to tell if they are still on the screen
 * @property {number} startedAt
 */

/** A test of one store. */
export class StoreTest {
  /** @param {Place} place */
  constructor(place) {
    this.place = place;
    /** @type {import("../lib.js").Signal<Outcome>} */
    this.outcome = signal(/** @type {Outcome} */ ({
      phase: "idle", report: null, message: "", requestId: "", tested: "", startedAt: 0, steps: [],
    }));
    this.abort = new AbortController();
    /** The server that answers, if there are several. Its lines come first. @type {string | undefined} */
    this.node = undefined;
  }

  /** The settings of the store as they are on the screen, as one text. */
  get screen() {
    const section = sectionShown("FileSettings");
    const own = Object.entries(section).filter(([name]) => name.startsWith("Export") === (this.place.prefix !== ""));
    const used = own.filter(([name]) => {
      const setting = settingAt(`FileSettings.${name}`);
      return !setting || isInUse(setting);
    });
    return JSON.stringify(used);
  }

  /** True once a tested value was changed. */
  get isStale() {
    const { phase, tested } = this.outcome.value;
    return (phase === "passed" || phase === "failed") && tested !== this.screen;
  }

  async run() {
    this.abort = new AbortController();
    this.node = undefined;
    const started = { tested: this.screen, startedAt: performance.now(), message: "", requestId: "", report: null, steps: expectedSteps(this.place) };
    this.outcome.value = { ...started, phase: "running" };
    try {
      const { report } = await testStore(this.place.store, sectionShown("FileSettings"), this.abort.signal, (line) => this.told(line));
      this.outcome.value = { ...started, phase: "passed", report };
    } catch (cause) {
      if (this.abort.signal.aborted) {
        this.outcome.value = { ...started, phase: "idle" };
        return;
      }
      const error = ApiError.of(cause);
      const { report, message, requestId } = error;
      this.outcome.value = { ...started, phase: "failed", report, message, requestId };
    }
  }

  cancel() {
    this.abort.abort();
  }

  /** Shows a step of the server that answers, as it begins and ends. The report has those of the others.
   * @param {import("../api/files.js").StepLine} line */
  told({ event, node = "", step, outcome = "passed", duration_ms: ms = 0, code, cause, remedy }) {
    const before = this.outcome.value;
    this.node ??= node;
    if (before.phase !== "running" || node !== this.node) return;
    const now = { step, outcome: event === "started" ? /** @type {const} */ ("running") : outcome, duration_ms: ms };
    const steps = before.steps.map((known) => (known.step === step ? now : known));
    const trouble = outcome === "failed" ? { step, kind: "", code, cause: cause ?? "", remedy: remedy ?? "" } : undefined;
    const report = trouble ? { driver: "", target: "", identity: "", stages: [], trouble, duration_ms: 0 } : before.report;
    this.outcome.value = { ...before, steps, report };
  }
}

const STEPS = ["settings", "resolve", "connect", "tls", "authenticate", "bucket", "list", "write", "read", "compare",
  "delete"];

/** The steps that only a store in the network has. */
const NETWORK_STEPS = ["resolve", "connect", "tls", "authenticate"];

/** Returns the steps that a test is going to take. @param {Place} place @returns {LiveStep[]} */
export function expectedSteps(place) {
  const isLocal = shown(pathIn(place, "DriverName")) === "local";
  const steps = STEPS.filter((step) => !isLocal || !NETWORK_STEPS.includes(step));
  return steps.map((step) => ({ step, outcome: /** @type {const} */ ("waiting"), duration_ms: 0 }));
}

/** Returns the settings that a failure is about: those that its remedy names, or the first suspect of its step.
 * @param {Place} place @param {import("../api/files.js").Report | null} report @param {string} text
 * @returns {import("../api/config.js").Setting[]} */
export function settingsToMend(place, report, text) {
  const words = `${text} ${report?.trouble?.remedy ?? ""} ${report?.trouble?.cause ?? ""}`.match(/\b[A-Z]\w+/g) ?? [];
  const named = words.map((word) => settingAt(`FileSettings.${word}`) ?? settingAt(pathIn(place, word)));
  const found = named.flatMap((setting) => (setting && isInUse(setting) ? [setting] : []));
  if (found.length > 0) return [...new Set(found)];
  const driver = String(shown(pathIn(place, "DriverName")));
  const suspect = settingAt(pathIn(place, SUSPECTS[driver]?.[report?.trouble?.step ?? "settings"] ?? "DriverName"));
  return suspect ? [suspect] : [];
}

/** Returns a report as text. It has no secrets, because the server leaves them out. @param {Outcome} outcome */
export function asReport({ report, message, requestId }) {
  const lines = [`Storage test: ${report && !report.trouble ? "passed" : "failed"}`];
  if (report) {
    lines.push(`Driver: ${report.driver}`, `Target: ${report.target}`, `Identity: ${report.identity}`);
    if (report.note) lines.push(`Note: ${report.note}`);
    for (const { step, outcome, duration_ms: ms } of report.stages) lines.push(`  ${step}: ${outcome}, ${ms} ms`);
    const failure = report.trouble;
    if (failure) {
      lines.push(`Failed step: ${failure.step}`, `Code: ${failure.code ?? "none"}`, `Cause: ${failure.cause}`,
        `Remedy: ${failure.remedy}`);
    }
    lines.push(`Duration: ${report.duration_ms} ms`);
    for (const { node, outcome, reason, trouble } of report.nodes ?? []) {
      lines.push(`Server ${node}: ${outcome}${reason ? ` (${reason})` : ""}${trouble ? `, step ${trouble.step}: ${trouble.cause}` : ""}`);
    }
  } else {
    lines.push(message);
  }
  if (requestId) lines.push(`Request: ${requestId}`);
  return lines.join("\n");
}
