/**
 * The seek table of the published Zstandard seekable format: a skippable frame at the end of a
 * fragment's data, without checksums. All numbers are little-endian.
 */
const SKIPPABLE_MAGIC = 0x184d2a5e;
const SEEKABLE_MAGIC = 0x8f92eab1;
const HEADER_BYTES = 8;
const ENTRY_BYTES = 8;
const FOOTER_BYTES = 9;

/** Sizes of one frame in bytes: as stored, and of the archive bytes in it. Each below 4 GiB. */
export interface FrameSize {
  readonly storedBytes: number;
  readonly archiveBytes: number;
}

/** Bytes that the seek table of so many frames takes. */
export function seekTableBytes(frames: number): number {
  return HEADER_BYTES + frames * ENTRY_BYTES + FOOTER_BYTES;
}

export function encodeSeekTable(frames: readonly FrameSize[]): Buffer {
  const table = Buffer.alloc(seekTableBytes(frames.length));
  table.writeUInt32LE(SKIPPABLE_MAGIC, 0);
  table.writeUInt32LE(table.length - HEADER_BYTES, 4);
  frames.forEach((frame, index) => {
    table.writeUInt32LE(frame.storedBytes, HEADER_BYTES + index * ENTRY_BYTES);
    table.writeUInt32LE(frame.archiveBytes, HEADER_BYTES + index * ENTRY_BYTES + 4);
  });
  table.writeUInt32LE(frames.length, table.length - FOOTER_BYTES);
  table.writeUInt8(0, table.length - 5);
  table.writeUInt32LE(SEEKABLE_MAGIC, table.length - 4);
  return table;
}

/** Bytes of the whole table, from the last 9 bytes of a fragment. @throws Error if there is none. */
export function seekTableBytesFromFooter(footer: Buffer): number {
  const at = footer.length - FOOTER_BYTES;
  if (at < 0 || footer.readUInt32LE(at + 5) !== SEEKABLE_MAGIC) {
    throw new Error('The data does not end in a seek table');
  }
  if (footer.readUInt8(at + 4) !== 0) throw new Error('The seek table is of an unknown kind');
  return seekTableBytes(footer.readUInt32LE(at));
}

/** Reads a whole table. @throws Error if it is damaged. */
export function decodeSeekTable(table: Buffer): FrameSize[] {
  const expected = seekTableBytesFromFooter(table);
  const whole =
    table.length === expected &&
    table.readUInt32LE(0) === SKIPPABLE_MAGIC &&
    table.readUInt32LE(4) === expected - HEADER_BYTES;
  if (!whole) throw new Error('The seek table is damaged');
  return Array.from({ length: table.readUInt32LE(expected - FOOTER_BYTES) }, (_, index) => ({
    storedBytes: table.readUInt32LE(HEADER_BYTES + index * ENTRY_BYTES),
    archiveBytes: table.readUInt32LE(HEADER_BYTES + index * ENTRY_BYTES + 4),
  }));
}
