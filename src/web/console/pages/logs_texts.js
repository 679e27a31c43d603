// Texts of the pages of the server's log and of the audit trail.

const count = (/** @type {number} */ number, /** @type {string} */ one, /** @type {string} */ many) =>
  `${number.toLocaleString()} ${number === 1 ? one : many}`;

/** Texts that both pages have. */
export const RANGE = {
  time: "Time",
  spans: /** @type {Record<string, string>} */ ({
    any: "Any time", "15m": "Last 15 minutes", "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days",
    between: "Between",
  }),
  from: "From",
  to: "Until",
};

/** The reasons why a server gave no answer. */
const ABSENCES = /** @type {Record<string, string>} */ ({
  silent: "no answer in time",
  unreachable: "the database does not answer",
  busy: "it is busy",
  unknown: "an older version",
  failed: "it could not read its log",
  away: "it does not run",
});

export const LOGS = {
  title: "Server logs",
  category: "Reporting",
  lead: "The log, the newest line first. Each look at it is recorded in the audit trail.",
  server: "Server",
  allServers: "All servers",
  missing: (/** @type {string} */ name, /** @type {string} */ reason) => `No lines of ${name}: ${ABSENCES[reason] ?? reason}.`,
  linesTitle: "Levels, all if none is chosen",
  levels: /** @type {Record<string, string>} */ ({
    error: "Error", warn: "Warn", info: "Info", debug: "Debug", trace: "Trace",
  }),
  text: "Text",
  textHelp: "A part of the line, in the same letter case.",
  request: "Request id",
  requests: "Also lines of single requests",
  show: "Show",
  reset: "Reset",
  stale: "The filter was changed. “Show” applies it.",
  filter: "Filter",
  view: "View",
  views: { structured: "Structured", plain: "Plain" },
  follow: "Follow",
  pause: "Pause",
  followHelp: "Looks for new lines every 5 seconds while this page is in sight",
  noFollow: "The chosen time has an end, so no new lines can match",
  downloadShown: "Download these lines",
  downloadAll: (/** @type {string} */ server) => (server ? `Download the whole log of ${server}` : "Download the whole log"),
  list: "Lines of the log",
  shown: (/** @type {number} */ lines) => count(lines, "line", "lines"),
  back: "back to",
  older: "Load older lines",
  atLimit: (/** @type {number} */ lines) => `No more than ${lines.toLocaleString()} lines are kept. Choose an earlier time to see older ones.`,
  cut: /** @type {Record<string, string>} */ ({
    size: "The answer reached its largest size. Older lines may match.",
    time: "The search ended after some seconds. Older lines may match; a shorter time or more levels make it faster.",
  }),
  nothing: "No line matches.",
  noFile: "The log is not written to a file, so there is nothing to show.",
  noJson: "The log file is plain text. Only lines written as JSON can be filtered and shown here; the download has all.",
  setting: "Open the setting",
  details: "Line",
  time: "Time",
  level: "Level",
  message: "Message",
  sameRequest: "All lines of this request",
  auditRecord: "Audit record of this request",
  copy: "Copy as JSON",
};

export const AUDITS = {
  title: "Audit trail",
  category: "Compliance",
  lead: "Changes and refusals, the newest first, with the values before and after.",
  user: "User name",
  text: "Text",
  textHelp: "A part of event, path, address or details.",
  outcome: "Outcome",
  outcomes: /** @type {Record<string, string>} */ ({
    "": "Any", success: "Success", fail: "Failure", attempt: "Unknown outcome",
  }),
  outcomeHelp: "The caller left before the answer, or the server ended.",
  withoutReads: "Leave out looks at the log",
  request: "Request id",
  list: "Audit records",
  searched: (/** @type {number} */ found, /** @type {number} */ searched) =>
    (found === searched ? count(found, "record", "records") : `${found.toLocaleString()} of ${count(searched, "record", "records")}`),
  back: "back to",
  further: "Load older records",
  searchFurther: "Search older records",
  nothing: "No record matches.",
  nothingYet: "None of these records matches.",
  server: "server",
  noRecord: (/** @type {string} */ id) =>
    `No record of request ${id} was found among the 20,000 newest ones up to its time. Only changes, refusals and a few reads are recorded.`,
  ofRequest: "Records of request",
  details: "Record",
  needsMore: "The values before and after need the permission to manage the system.",
  fields: {
    time: "Time", error: "Error", user: "User", address: "Address", source: "Source",
    request: "Request", status: "Status", session: "Session", id: "Record", number: "Number", hash: "Hash", key: "Key",
  },
  parameters: "Details",
  changes: "Changed values",
  member: "Value",
  before: "Before",
  after: "After",
  none: "not set",
  empty: "(empty)",
  cut: (/** @type {string} */ text, /** @type {number} */ bytes) => `${text}… (${bytes.toLocaleString()} bytes)`,
  logLines: "Lines of this request in the log",
  ofUser: "All records of this user",
};
