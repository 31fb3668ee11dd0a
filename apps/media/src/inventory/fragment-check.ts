import { Blake3Hasher } from '@napi-rs/blake-hash';
import type { BytesState } from '#contracts/media.js';
import { FragmentUnreadable } from '#storage/errors.js';
import {
  READ_BYTES_MAX,
  type FragmentObject,
  type SealedFragmentReader,
} from '#storage/fragment-store.js';
import type { Holding } from './holdings.js';
import { bytesOf } from './inventory.js';

export interface CheckedFragment {
  readonly bytes: BytesState;
  /** What is wrong, else empty. */
  readonly reason: string;
  /** The medium could not be read, which may be another thing than damage. */
  readonly unreadable?: boolean;
}

export interface Digests {
  readonly digest: string;
  readonly indexDigest: string;
}

export interface CheckOptions {
  /** What it should be; else what the journal says or, for an orphan, its manifest. */
  readonly expected?: Digests;
  /** Bytes as they are read; below 0 where some that it has heard of are read once more. */
  readonly onBytes?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** Reads a fragment whole, data and index, and compares it with its digests. Nothing is changed. */
export async function checkFragment(
  holding: Holding,
  options: CheckOptions = {},
): Promise<CheckedFragment> {
  const { volume, name, state } = holding;
  await volume.requireAnswer();
  const shown = await bytesOf(holding, await volume.store.stat(name));
  if (shown.bytes !== 'whole') return shown;
  let reader: SealedFragmentReader | undefined;
  try {
    reader = await volume.store.open(name);
    const journalled = state && state.phase !== 'INTENT' ? state.manifest : reader.manifest;
    const expected = options.expected ?? journalled;
    for (const object of ['data', 'index'] as const) {
      const wanted = object === 'data' ? expected.digest : expected.indexDigest;
      if (object === 'data' && (await hasAtOnce(reader, wanted, options))) continue;
      if ((await digestOf(reader, object, options)) === wanted) continue;
      return { bytes: 'damaged', reason: `its ${object} has another digest than it should` };
    }
    return { bytes: 'whole', reason: '' };
  } catch (error) {
    if (!(error instanceof FragmentUnreadable)) throw error;
    return { bytes: 'damaged', reason: error.message, unreadable: true };
  } finally {
    await reader?.close();
  }
}

/** Whether the data have a digest, where that can be said without reading them. False settles nothing. */
async function hasAtOnce(
  reader: SealedFragmentReader,
  digest: string,
  { onBytes, signal }: CheckOptions,
): Promise<boolean> {
  let told = 0;
  const found = await reader.digestData?.((bytes) => {
    signal?.throwIfAborted();
    told += bytes;
    onBytes?.(bytes);
  });
  if (found === digest) return true;
  // They are read, and told of, once more.
  onBytes?.(-told);
  return false;
}

async function digestOf(
  reader: SealedFragmentReader,
  object: FragmentObject,
  { onBytes, signal }: CheckOptions,
): Promise<string> {
  const hash = new Blake3Hasher();
  const size = reader.size(object);
  // One is hashed while the other is filled.
  const buffers = [0, 1].map(() => Buffer.allocUnsafeSlow(Math.min(size, READ_BYTES_MAX)));
  const readAt = (at: number) => {
    const into = buffers[(at / READ_BYTES_MAX) % 2]!;
    return reader.read(object, at, Math.min(READ_BYTES_MAX, size - at), into);
  };
  let ahead: Promise<Buffer> | undefined = size > 0 ? readAt(0) : undefined;
  for (let at = 0; ahead;) {
    const piece: Buffer = await ahead;
    at += piece.length;
    ahead = at < size ? readAt(at) : undefined;
    // Thrown when it is awaited; if nobody comes to that, it is of no interest.
    ahead?.catch(() => undefined);
    hash.update(piece);
    onBytes?.(piece.length);
    signal?.throwIfAborted();
  }
  return hash.digest('hex');
}
