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
