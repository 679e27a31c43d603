// Texts about the verification of the audit trail.

const number = (/** @type {number} */ value) => value.toLocaleString();

export const VERIFICATION = {
  title: "Verification",
  states: { not_verified: "Not verified yet", intact: "Intact", incomplete: "Incomplete", broken: "Damaged" },
  says: {
    not_verified: "Since its start, this server has not verified the trail to the end.",
    intact: "No record was changed, moved or removed.",
    incomplete: "Records with a key that this server does not have cannot be verified. The others are as they were written.",
    broken: "Records were changed, moved, removed or added by hand, or have an unknown key.",
  },
  rows: (/** @type {number} */ first, /** @type {number} */ last) => `Verified: records ${number(first)} to ${number(last)}.`,
  first: (/** @type {number} */ row) => `The first finding is about record ${number(row)}.`,
  verifiedAt: "Last verified",
  wholeAt: "All records",
  by: (/** @type {string} */ name) => `by ${name}`,
  soon: "A verification is about to begin.",
  running: (/** @type {number} */ checked, /** @type {number} */ left) => `Verifying: ${number(checked)} of ${number(checked + left)} records.`,
  failedAt: "The trail could not be read at",
  retries: "The server tries again.",
  verify: "Verify all records",
  findings: "Findings",
  more: (/** @type {number} */ count) => `and ${number(count)} more`,
  chain: "Each record contains the hash of the one before it. The server verifies the records that were added every 10 minutes, and all of them once a day. A proof that does not trust the running server, also against an earlier end of the trail:",
};
