// The settings of which a wrong value can lock administrators out, as the server says. A change of one is taken back
// unless it is confirmed, if the user does not choose otherwise.

import { settingAt } from "./schema.js";

/** Returns true if a wrong value of the setting can lock administrators out. @param {string} path */
export function canLockOut(path) {
  return settingAt(path)?.can_lock_out ?? false;
}
