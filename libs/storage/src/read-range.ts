import type { FileHandle } from 'node:fs/promises';
import { FragmentUnreadable } from './errors.js';
import {
  READ_BYTES_MAX,
  type FragmentObject,
  type SealedFragmentReader,
} from './fragment-store.js';

/** Throws `FragmentUnreadable` for a range that the fragment does not have. */
export function checkRange(
  reader: SealedFragmentReader,
  range: { object: FragmentObject; offset: number; length: number },
): void {
  const { object, offset, length } = range;
  if (length > READ_BYTES_MAX) throw new RangeError(`${length} bytes are too many for one read`);
  if (offset < 0 || length < 0 || offset + length > reader.size(object)) {
    const { fragmentId } = reader.manifest;
    const end = offset + length;
    throw new FragmentUnreadable(
      fragmentId,
      `has no ${object} from ${offset} to ${end}: its size is ${reader.size(object)}`,
    );
  }
}

/**
 * Fills `bytes` with those of a file from `position` on.
 * @returns how many there are: fewer than asked for only where the file ends
 */
export async function readInto(
  bytes: Buffer,
  handle: FileHandle,
  position: number,
): Promise<number> {
  let filled = 0;
  while (filled < bytes.length) {
    const rest = bytes.length - filled;
    const { bytesRead } = await handle.read(bytes, filled, rest, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}
