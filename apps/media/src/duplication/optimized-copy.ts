import { Blake3Hasher } from '@napi-rs/blake-hash';
import { freeBytes } from '#kernel/free-bytes.js';
import { FragmentDamaged } from '#storage/errors.js';
import {
  READ_BYTES_MAX,
  type FragmentObject,
  type FragmentWriter,
} from '#storage/fragment-store.js';
import type { FragmentSource } from './fragment-source.js';

/**
 * Optimized duplication of one fragment: on this host by the file system, else from storage to
 * storage as it is, with nothing decoded. Either way what was written has the digests of the source
 * when this resolves. `onBytes` hears of stored bytes as they are written.
 */
export async function copyWhole(
  source: FragmentSource,
  writer: FragmentWriter,
  onBytes: (bytes: number) => void,
): Promise<void> {
  if (source.local) {
    await writer.copyFrom(source.local);
    onBytes(source.manifest.storedBytes);
    return;
  }
  const { chunks, manifest } = source;
  if (chunks && writer.takes?.(chunks)) {
    await writer.copyChunks!(chunks, manifest.storedBytes);
    onBytes(manifest.storedBytes);
  } else {
    await copyObject(source, 'data', async (pieces, bytes) => {
      await writer.writeData(pieces);
      onBytes(bytes);
    });
  }
  await copyObject(source, 'index', (pieces) => writer.writeIndex(pieces));
}

/** From another host: what comes from there is nobody else's. */
async function copyObject(
  source: FragmentSource,
  object: FragmentObject,
  write: (pieces: readonly Buffer[], bytes: number) => Promise<void>,
): Promise<void> {
  const { fragmentId, storedBytes, indexBytes, digest, indexDigest } = source.manifest;
  const length = object === 'data' ? storedBytes : indexBytes;
  const hash = new Blake3Hasher();
  let writing: Promise<void> = Promise.resolve();
  try {
    for await (const pieces of batches(source.read({ object, offset: 0, length }))) {
      let bytes = 0;
      for (const piece of pieces) {
        hash.update(piece);
        bytes += piece.length;
      }
      // One batch is on its way to the disk while the next one comes.
      await writing;
      writing = write(pieces, bytes).then(() => pieces.forEach(freeBytes));
      writing.catch(() => undefined);
    }
    await writing;
  } finally {
    // Calls of a writer come one at a time, also where the source could not be read.
    await writing.catch(() => undefined);
  }
  if (hash.digest('hex') === (object === 'data' ? digest : indexDigest)) return;
  throw new FragmentDamaged(fragmentId, `came with ${object} of another digest`);
}

/** About a mebibyte at a time for the disk. */
async function* batches(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
  let batch: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    batch.push(piece);
    bytes += piece.length;
    if (bytes < READ_BYTES_MAX) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
