// The lines of several servers as one list.

/** @typedef {import("./logs.js").Line} Line */
/** The lines of a server, the newest first. `isFull` says that there may be older ones.
 * @typedef {{ server: string, lines: Line[], isFull: boolean }} LogPage */

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
