// Operations about the verification of the audit trail.

import { call } from "./client.js";

/**
 * The knowledge of a server about the audit trail. Times are Unix milliseconds; 0 stands for none.
 * @typedef {object} Verification
 * @property {string} node_name
 * @property {"not_verified" | "intact" | "incomplete" | "broken"} state
 * @property {boolean} is_running
 * @property {number} checked_rows
 * @property {number} rows_left
 * @property {number} verified_at
 * @property {number} whole_at
 * @property {number} first_row
 * @property {number} last_row
 * @property {number} row_count
 * @property {number} finding_count
 * @property {{ row: number | null, text: string }[]} findings
 * @property {number | null} first_broken_row
 * @property {number} failed_at
 */

/** @returns {Promise<Verification>} */
export function verification() {
  return call("GET", "audits/verification");
}

/** Begins a verification of all records. @returns {Promise<Verification>} */
export function verifyAudits() {
  return call("POST", "audits/verification");
}
