// Reads one file out of a ZIP archive.

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 65_535;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const DEFLATED = 8;

/**
 * Returns the text of a file in an archive; `null` if there is none of this name, or the archive cannot be read.
 * @param {Blob} archive @param {string} name
 */
export async function textInZip(archive, name) {
  const tail = await view(archive.slice(Math.max(0, archive.size - END_BYTES - MAX_COMMENT_BYTES)));
  let end = tail.byteLength - END_BYTES;
  while (end >= 0 && tail.getUint32(end, true) !== END_SIGNATURE) end -= 1;
  if (end < 0) return null;
  const [bytes, start] = [tail.getUint32(end + 12, true), tail.getUint32(end + 16, true)];
  const entries = await view(archive.slice(start, start + bytes));
  for (let at = 0; at + ENTRY_BYTES <= entries.byteLength && entries.getUint32(at, true) === ENTRY_SIGNATURE;) {
    const lengths = [28, 30, 32].map((offset) => entries.getUint16(at + offset, true));
    const found = new TextDecoder().decode(new Uint8Array(entries.buffer, at + ENTRY_BYTES, lengths[0]));
    if (found === name) {
      const isPacked = entries.getUint16(at + 10, true) === DEFLATED;
      return content(archive, entries.getUint32(at + 42, true), entries.getUint32(at + 20, true), isPacked);
    }
    at += ENTRY_BYTES + lengths[0] + lengths[1] + lengths[2];
  }
  return null;
}

/** Returns the text of the file whose header is at `start`.
 * @param {Blob} archive @param {number} start @param {number} bytes the packed size @param {boolean} isPacked */
async function content(archive, start, bytes, isPacked) {
  const header = await view(archive.slice(start, start + LOCAL_BYTES));
  const from = start + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  const part = archive.slice(from, from + bytes);
  const stream = isPacked ? part.stream().pipeThrough(new DecompressionStream("deflate-raw")) : part.stream();
  return new Response(stream).text();
}

/** @param {Blob} blob */
async function view(blob) {
  return new DataView(await blob.arrayBuffer());
}
