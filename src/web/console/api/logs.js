// Operations about the server's log and the audit trail.

import { call, send } from "./client.js";

/** A line of the log; fields besides these depend on the line. @typedef {Record<string, any>} LogRecord */

/**
 * A filter of the log, as the server takes it. Empty members match all lines.
 * @typedef {object} LogQuery
 * @property {string[]} [server_names]
 * @property {string[]} [log_levels]
 * @property {string} [date_from] the earliest time, as `2026-01-31 23:59:59.999 +00:00`
 * @property {string} [date_to] the latest time
 * @property {string} [text]
 * @property {string} [request_id]
 * @property {boolean} [requests] true to take in the lines of single requests
 */

/**
 * An answer to a query: the newest lines of each server, the oldest first.
 * @typedef {object} LogAnswer
 * @property {Record<string, LogRecord[]>} pages by the name of the server; one without lines is absent
 * @property {string[]} servers the names of all servers on the database, that of the one that answers first
 * @property {[string, string][]} missing the servers that gave no answer, each with the reason
 * @property {string[]} cutServers the servers some of whose lines may be missing
 * @property {string} cut why some lines may be missing: `size`, `time` or nothing
 * @property {string} requestId
 * @property {Map<string, number>} clocks the time of each server's clock at which it began to read
 */

/** Returns the newest lines that match. @param {LogQuery} query @param {number} count @param {AbortSignal} [signal]
 * @returns {Promise<LogAnswer>} */
export async function queryLogs(query, count, signal) {
  const paging = { logs_per_page: count };
  const response = await send("POST", "logs/query", { body: query, query: paging, signal });
  const named = (/** @type {string} */ header) => response.headers.get(header)?.split(", ") ?? [];
  const pairs = (/** @type {string} */ header) =>
    named(header).map((text) => /** @type {[string, string]} */ (text.split(/=(?=\w+$)/)));
  return {
    pages: await response.json(),
    servers: named("X-Logs-Nodes"),
    missing: pairs("X-Logs-Missing"),
    cutServers: pairs("X-Logs-Cut-Nodes").map(([name]) => name),
    clocks: new Map(pairs("X-Logs-Clocks").map(([name, at]) => [name, Number(at)])),
    cut: response.headers.get("X-Logs-Cut") ?? "",
    requestId: response.headers.get("X-Request-Id") ?? "",
  };
}

/**
 * An audit record, as the list has it.
 * @typedef {object} Audit
 * @property {string} id
 * @property {number} create_at
 * @property {string} user_id
 * @property {string} action the path of the request
 * @property {string} extra_info
 * @property {string} ip_address
 * @property {string} session_id
 */

/**
 * An audit record in full.
 * @typedef {object} FullAudit
 * @property {string} id
 * @property {number} number
 * @property {number} create_at
 * @property {string} event
 * @property {string} status
 * @property {string} user_id
 * @property {string} session_id
 * @property {string} ip_address
 * @property {string} source
 * @property {string} request_id
 * @property {string} method
 * @property {string} path
 * @property {number} code
 * @property {string} error_id
 * @property {any} parameters
 * @property {any} before
 * @property {any} after
 * @property {string} hash
 * @property {string} key_id
 */

/** Returns a page of the audit trail, the newest record first; of one user, if an id is given.
 * @param {string} userId @param {number} page @param {number} count @param {AbortSignal} [signal]
 * @returns {Promise<Audit[]>} */
export async function audits(userId, page, count, signal) {
  const path = userId ? `users/${userId}/audits` : "audits";
  return (await call("GET", path, { query: { page, per_page: count }, signal })) ?? [];
}

/** Returns the records of a request. The server looks at those up to a minute after `at`; 0 means now.
 * @param {string} requestId @param {number} at @param {AbortSignal} [signal]
 * @returns {Promise<Audit[]>} */
export function auditsOfRequest(requestId, at, signal) {
  return call("GET", "audits", { query: { request_id: requestId, at: at || undefined }, signal });
}

/** Returns an audit record in full.
 * @param {string} id @param {AbortSignal} [signal]
 * @returns {Promise<FullAudit>} */
export function audit(id, signal) {
  return call("GET", `audits/${id}`, { signal });
}

/** Returns the accounts with these ids, as far as they exist.
 * @param {string[]} ids
 * @returns {Promise<{ id: string, username: string }[]>} */
export function usersWithIds(ids) {
  return call("POST", "users/ids", { body: ids });
}

/** Returns the account with this user name.
 * @param {string} name
 * @returns {Promise<{ id: string, username: string }>} */
export function userNamed(name) {
  return call("GET", `users/username/${encodeURIComponent(name)}`);
}
