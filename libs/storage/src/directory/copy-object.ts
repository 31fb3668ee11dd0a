import { statfs } from 'node:fs/promises';
import { FragmentDamaged, isNoRoom, readError } from '../errors.js';
import {
  READ_BYTES_MAX,
  type FragmentObject,
  type SealedFragmentReader,
} from '../fragment-store.js';
import type { AppendFile } from './append-file.js';

/** Of `statfs`: ext2, ext3 and ext4. They copy within the kernel by their page cache alone. */
const EXT = 0xef53;

/** Copies data or index of a source into a new file, and reads back whether it is the same. */
export async function copyObject(
  source: SealedFragmentReader,
  object: FragmentObject,
  file: AppendFile,
): Promise<void> {
  const { fragmentId, digest, indexDigest } = source.manifest;
  const descriptor = source.descriptors?.[object];
  const byPieces = descriptor === undefined || (await statfs(file.path)).type === EXT;
  if (byPieces) await copyPieces(source, object, file);
  else await copyInKernel(fragmentId, descriptor, file);
  const expected = object === 'data' ? digest : indexDigest;
  if (file.bytes === source.size(object) && (await file.digest()) === expected) return;
  throw new FragmentDamaged(fragmentId, `has ${object} with another digest than its manifest`);
}

/**
 * The system does not say whether it failed to read or to write, but for a lack of room. It counts as
 * reading: another source then shows which it was.
 */
async function copyInKernel(
  fragmentId: string,
  descriptor: number,
  file: AppendFile,
): Promise<void> {
  try {
    await file.copyFrom(descriptor);
  } catch (error) {
    if (isNoRoom(error)) throw error;
    throw readError(fragmentId, 'cannot be copied', error);
  }
}

async function copyPieces(
  source: SealedFragmentReader,
  object: FragmentObject,
  file: AppendFile,
): Promise<void> {
  const bytes = source.size(object);
  const memory = Buffer.allocUnsafe(Math.min(READ_BYTES_MAX, bytes));
  for (let at = 0; at < bytes; at += READ_BYTES_MAX) {
    const length = Math.min(READ_BYTES_MAX, bytes - at);
    await file.append([await source.read(object, at, length, memory)]);
  }
}
