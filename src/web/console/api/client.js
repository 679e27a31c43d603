// Requests to the API of this server.

import { SITE } from "../state/place.js";

/** A refused or failed request. */
export class ApiError extends Error {
  /** @param {number} status @param {any} body @param {string} requestId */
  constructor(status, body, requestId) {
    super(body?.message || "");
    /** The status; 0 if there was no response. */
    this.status = status;
    /** The id of the error. @type {string} */
    this.id = body?.id ?? "";
    this.requestId = body?.request_id || requestId;
    /** The problems of a document. @type {{ pointer: string, id: string, message: string }[]} */
    this.errors = body?.errors ?? [];
    /** The steps of a test. @type {any} */
    this.report = body?.report ?? null;
  }

  /** Returns a failure as an error of a request. @param {unknown} cause */
  static of(cause) {
    return cause instanceof ApiError ? cause : new ApiError(0, { message: String(cause) }, "");
  }
}

/**
 * @typedef {object} Options
 * @property {any} [body] sent as JSON; a `FormData` or a `Blob` as it is
 * @property {Record<string, string>} [headers]
 * @property {Record<string, string | number | boolean | undefined>} [query]
 * @property {AbortSignal} [signal]
 * @property {boolean} [isLogin] true for a request whose refusal is no reason to log in or to look at the rights again
 */

/** @type {() => Promise<boolean>} */
let renewSession = async () => false;

/** Sets the function that asks for a login when a session has ended. It returns true once there is a session again.
 * @param {() => Promise<boolean>} renew */
export function renewSessionsWith(renew) {
  renewSession = renew;
}

/** @type {() => Promise<boolean>} */
let reauthenticate = async () => false;

/** Sets the function that asks for the password again. It returns true once the server has accepted it.
 * @param {() => Promise<boolean>} prove */
export function reauthenticateWith(prove) {
  reauthenticate = prove;
}

/** @type {() => void} */
let lookAtRights = () => {};

/** Sets the function that is called when the server says that the caller lacks a permission. @param {() => void} look */
export function lookAtRightsWith(look) {
  lookAtRights = look;
}

/** Returns true if the browser has the cookies of a session. */
export function hasSession() {
  return cookie("MMCSRF") !== "";
}

/** Returns the address of an operation of the API.
 * @param {string} path @param {Options["query"]} [query] */
export function apiUrl(path, query = {}) {
  const url = new URL(`api/v4/${path}`, SITE);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

/** The error of a critical action after a login that is too long ago. */
export const NOT_RECENT = "api.context.reauthentication_required.app_error";
const NOT_PERMITTED = "api.context.permissions.app_error";

/**
 * Sends a request, and returns the response if it succeeds. After the end of a session, it is sent again once the user
 * has logged in again; a critical action also once the user has entered the password again.
 * @param {string} method @param {string} path below `api/v4/` @param {Options} [options]
 * @returns {Promise<Response>}
 */
export async function send(method, path, options = {}) {
  let response = await sendOnce(method, path, options);
  if (options.isLogin || response.ok) return succeeded(response);
  // A new login is a recent one, so each question is asked once.
  const refusal = await refusalOf(response);
  if (refusal === NOT_RECENT && (await reauthenticate())) response = await sendOnce(method, path, options);
  if (response.status === 401 && (await renewSession())) response = await sendOnce(method, path, options);
  if (refusal === NOT_PERMITTED) lookAtRights();
  return succeeded(response);
}

/** Returns the id of the error of a forbidden request. @param {Response} response @returns {Promise<string>} */
async function refusalOf(response) {
  return response.status === 403 ? response.clone().json().then((body) => body.id, () => "") : "";
}

/**
 * Sends a request, and returns the JSON of the response.
 * @param {string} method @param {string} path @param {Options} [options]
 * @returns {Promise<any>}
 */
export async function call(method, path, options = {}) {
  return (await send(method, path, options)).json();
}

/** @param {string} method @param {string} path @param {Options} options */
async function sendOnce(method, path, { body, headers = {}, query, signal }) {
  const isJson = body !== undefined && !(body instanceof FormData) && !(body instanceof Blob);
  const all = { "X-Requested-With": "XMLHttpRequest", "X-CSRF-Token": cookie("MMCSRF"), ...headers };
  try {
    return await fetch(apiUrl(path, query), {
      method,
      credentials: "same-origin",
      cache: "no-store",
      signal,
      headers: isJson ? { "Content-Type": "application/json", ...all } : all,
      body: isJson ? JSON.stringify(body) : body,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError(0, { id: "unreachable", message: "The server could not be reached." }, "");
  }
}

/** Lets the browser save data as a file. @param {Blob} blob @param {string} name */
export function saveAs(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** @param {Response} response */
async function succeeded(response) {
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  const message = { message: `The server answered with status ${response.status}.` };
  throw new ApiError(response.status, body ?? message, response.headers.get("X-Request-Id") ?? "");
}

/** @param {string} name */
function cookie(name) {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? found.slice(name.length + 1) : "";
}
