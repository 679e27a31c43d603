// The product notices: messages about the product that the server fetches from the address in its settings.

import { call } from "./client.js";
import { edition } from "./license.js";

/**
 * A notice that the caller has not read.
 * @typedef {object} ProductNotice
 * @property {string} id
 * @property {string} title
 * @property {string} description
 * @property {boolean} sysAdminOnly
 * @property {string} [action] `url` if the notice has a link
 * @property {string} [actionParam] the address of the link
 * @property {string} [actionText] the text of the link
 */

/** Returns the notices that the caller has not read, of those that are for no team.
 * @param {string} userId stands for a team @returns {Promise<ProductNotice[]>} */
export async function unreadNotices(userId) {
  const { api: clientVersion } = await edition();
  const [locale] = navigator.language.split("-");
  return call("GET", `system/notices/${userId}`, { query: { client: "web", clientVersion, locale } });
}

/** Notes that the caller has read notices. @param {string[]} ids */
export function markRead(ids) {
  return call("PUT", "system/notices/view", { body: ids });
}
