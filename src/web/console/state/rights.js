// The caller's rights while the console is open. They are looked at again when the server says that roles changed, when
// the socket closes, because the session may have ended, and when a request is refused for lack of a permission.

import { ApiError, apiUrl, lookAtRightsWith } from "../api/client.js";
import { description } from "../api/config.js";
import { meAgain, rolesNamed } from "../api/session.js";
import { effect } from "../lib.js";
import { leaveConsole, phase, takeRights, user } from "./session.js";

/** The delay before the next attempt to open a socket: it doubles with each one that fails. */
const FIRST_DELAY_MS = 2_000;
const MAX_DELAY_MS = 300_000;

/** The shortest time between two looks because of refusals. */
const LOOK_INTERVAL_MS = 3_000;

/** @type {WebSocket | null} */
let socket = null;

let delay = FIRST_DELAY_MS;

/** @type {Promise<void> | null} */
let looking = null;

/** The requests over the socket that have no reply yet, by their numbers. @type {Map<number, (data: any) => void>} */
const unanswered = new Map();

const REPLY_TIMEOUT_MS = 10_000;

let lastNumber = 0;

let mustLookAgain = false;
let lookedAt = -LOOK_INTERVAL_MS;

/** Follows the caller's rights as long as the console is open. */
export function watchRights() {
  lookAtRightsWith(() => {
    if (performance.now() - lookedAt >= LOOK_INTERVAL_MS) look();
  });
  effect(() => {
    if (phase.value === "ready") connect();
    else disconnect();
  });
}

/** Sends a request over the socket. Returns its data, or `null` if there is no socket, no reply or a refusal.
 * @param {string} action @param {object} data @returns {Promise<any>} */
export function requestOverSocket(action, data) {
  if (socket?.readyState !== WebSocket.OPEN) return Promise.resolve(null);
  const seq = lastNumber += 1;
  socket.send(JSON.stringify({ seq, action, data }));
  return new Promise((resolve) => {
    unanswered.set(seq, resolve);
    setTimeout(() => answer(seq, null), REPLY_TIMEOUT_MS);
  });
}

/** @param {number} seq @param {any} data */
function answer(seq, data) {
  unanswered.get(seq)?.(data);
  unanswered.delete(seq);
}

/** Looks at the rights, and once more if they may have changed meanwhile. @returns {Promise<void>} */
function look() {
  if (looking) {
    mustLookAgain = true;
    return looking;
  }
  lookedAt = performance.now();
  looking = lookOnce().finally(() => {
    looking = null;
    lookedAt = performance.now();
    if (!mustLookAgain) return;
    mustLookAgain = false;
    look();
  });
  return looking;
}

async function lookOnce() {
  if (phase.value !== "ready") return;
  try {
    const account = await meAgain();
    const [described, roles] = await Promise.all([description(), rolesNamed(account.roles.split(" "))]);
    takeRights(account, roles, described);
  } catch (cause) {
    // Any other failure says nothing about the rights.
    if (cause instanceof ApiError && cause.status === 403) leaveConsole();
  }
}

function connect() {
  if (socket) return;
  const url = apiUrl("websocket");
  url.protocol = url.protocol.replace("http", "ws");
  const opened = new WebSocket(url);
  socket = opened;
  let wasOpen = false;
  opened.onopen = () => {
    // Events are missed while there is no socket.
    if (delay > FIRST_DELAY_MS) look();
    wasOpen = true;
    delay = FIRST_DELAY_MS;
  };
  opened.onmessage = (message) => {
    const { event, data, seq_reply: seq } = JSON.parse(message.data);
    if (seq) answer(seq, data ?? null);
    const isOwn = event === "user_role_updated" && data.user_id === user.value?.id;
    if (isOwn || event === "role_updated") look();
  };
  opened.onclose = async () => {
    if (socket !== opened) return;
    answerNone();
    if (wasOpen) await look();
    setTimeout(() => {
      if (socket !== opened) return;
      socket = null;
      if (phase.value === "ready") connect();
    }, delay);
    delay = Math.min(delay * 2, MAX_DELAY_MS);
  };
}

function disconnect() {
  const closed = socket;
  socket = null;
  closed?.close();
  answerNone();
}

/** Ends the requests of a socket that is closed. */
function answerNone() {
  for (const seq of unanswered.keys()) answer(seq, null);
}
