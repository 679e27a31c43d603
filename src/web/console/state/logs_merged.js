// The lines of several servers as one list.

/** @typedef {import("./logs.js").Line} Line */
/** The lines of a server, the newest first. `isFull` says that there may be older ones.
 * @typedef {{ server: string, lines: Line[], isFull: boolean }} LogPage */

/** The time by which lines can be late or out of order, because several threads write them and a queue is between. */
export const DISORDER_MS = 5_000;

/** The difference of times from which a server is looked at apart from the others. */
const LATE_MS = 60_000;

/** The number of servers whose times are kept. */
const MAX_SERVERS = 64;

/** The time of each server's clock at which it last answered. @typedef {Map<string, number>} Looks */

/** Returns the time from which a look reads the lines of all servers. One whose clock is far behind, or that gave no
 * answer for long, does not make it earlier. @param {Looks} looks */
export function sinceOf(looks) {
  const times = [...looks.values()];
  const newest = Math.max(...times);
  return Math.min(...times.filter((at) => at >= newest - LATE_MS)) - DISORDER_MS;
}

/** Returns the servers that a look must read from an earlier time, because they answer again or their clocks are behind.
 * @param {Looks} before @param {Looks} looks with the answers of the look @returns {Looks} */
export function lateOf(before, looks) {
  const earliest = sinceOf(before) + DISORDER_MS;
  return new Map([...before].filter(([name, at]) => at < earliest && looks.get(name) !== at));
}

/** Returns the times with those of a look. A server that is new and gave no answer begins with the earliest of the others;
 * one that is gone keeps its time, because it may come back. @param {Looks} looks @param {Looks} clocks
 * @param {string[]} servers */
export function withClocks(looks, clocks, servers) {
  const begin = Math.min(Date.now(), ...looks.values(), ...clocks.values());
  const all = new Map([...servers.map((name) => /** @type {[string, number]} */ ([name, begin])), ...looks, ...clocks]);
  // Those that are gone for the longest time are the last ones.
  return new Map([...all].slice(0, MAX_SERVERS));
}

/** Returns the time from which the lines of all servers are complete; 0 if all are. @param {LogPage[]} pages */
export const startOf = (pages) => Math.max(0, ...pages.map(({ lines, isFull }) => (isFull ? lines.at(-1)?.at ?? 0 : 0)));

/** Returns the lines of all servers, the newest first, also where threads wrote them out of order. They go as far back as
 * the lines of each server are complete, so that older ones of another server never come between lines that are shown.
 * @param {LogPage[]} pages @returns {Line[]} */
export function merged(pages) {
  const start = pages[1] ? startOf(pages) : 0;
  const lines = pages.flatMap((page) => page.lines.filter(({ at }) => at >= start));
  return lines.sort((one, other) => other.at - one.at);
}

/** Returns new lines with the known ones behind them. A line may come later than newer ones, from another file or another
 * server; it gets its place among them. @param {Line[]} found @param {Line[]} known @returns {Line[]} */
export function inFront(found, known) {
  const oldest = found.reduce((least, { at }) => Math.min(least, at), Infinity);
  const recent = known.findLastIndex(({ at }) => at >= oldest) + 1;
  const front = [...found, ...known.slice(0, recent)].sort((one, other) => other.at - one.at);
  return [...front, ...known.slice(recent)];
}

/** Returns the lines that are not among `known`. Equal lines count as often as they are there. Lines that were read while
 * a server was the only one have no server.
 * @param {Line[]} lines @param {Line[]} known */
export function unseen(lines, known) {
  const all = /** @type {Map<string, string[]>} */ (new Map());
  for (const { server, record } of known) {
    const text = JSON.stringify(record);
    const servers = all.get(text);
    if (servers) servers.push(server);
    else all.set(text, [server]);
  }
  return lines.filter(({ server, record }) => {
    const servers = all.get(JSON.stringify(record)) ?? [];
    const index = servers.findIndex((one) => one === server || !one || !server);
    if (index >= 0) servers.splice(index, 1);
    return index < 0;
  });
}
