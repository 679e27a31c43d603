// The product notices that the caller has not read.

import { markRead, unreadNotices } from "../api/notices.js";
import { signal } from "../lib.js";
import { user } from "./session.js";

/** @typedef {import("../api/notices.js").ProductNotice} ProductNotice */

/** The notices; `null` until they were read from the server. */
export const unread = signal(/** @type {ProductNotice[] | null} */ (null));

const READ_AGAIN_MS = 3_600_000;

let readAt = 0;

/** Reads them from the server. */
export async function loadUnread() {
  unread.value = await unreadNotices(user.value?.id ?? "");
  readAt = Date.now();
}

/** Returns true if they were not read from the server within the last hour. */
export const isOld = () => Date.now() - readAt > READ_AGAIN_MS;

/** Marks notices as read, on the server and here. @param {string[]} ids */
export async function markAsRead(ids) {
  await markRead(ids);
  unread.value = unread.value?.filter(({ id }) => !ids.includes(id)) ?? null;
}
