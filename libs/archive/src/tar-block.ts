/** Everything in a tar archive comes in blocks of this size. */
export const TAR_BLOCK_BYTES = 512;

/** `length` rounded up to whole blocks. Exact up to 2^53. */
export function paddedToBlock(length: number): number {
  const rest = length % TAR_BLOCK_BYTES;
  return rest === 0 ? length : length + TAR_BLOCK_BYTES - rest;
}

/** The end of an archive: two blocks of zeros. */
export const ARCHIVE_END_BYTES = 2 * TAR_BLOCK_BYTES;

/** Types of entries, as index and listing write them. `x`: gone since the base image; index only. */
export type EntryType = 'f' | 'd' | 'l' | 'h' | 'p' | 'c' | 'b';
