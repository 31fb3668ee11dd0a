import { blake3 } from '#kernel/blake3.js';
import type { Manifest } from '#archive/manifest.js';
import type { FragmentName } from '../fragment-name.js';
import type { FragmentStore, StoredFragment, TrashedFragment } from '../fragment-store.js';

/** The name of a fragment that nothing else has. `seed` is any small number. */
export function fragmentName(seed: number, over: Partial<FragmentName> = {}): FragmentName {
  const fragmentId = `01920000-0000-7000-8000-${String(seed).padStart(12, '0')}`;
  return { imageId: 'web1_1790000000', copy: 1, number: seed, fragmentId, ...over };
}

/** The manifest of a fragment with this content. */
export function manifestOf(name: FragmentName, content: { data: Buffer; index: Buffer }): Manifest {
  return {
    version: 1,
    ...name,
    attempt: 1,
    client: 'web1',
    policy: 'daily',
    kind: 'full',
    backupTime: 1_790_000_000,
    archiveOffset: 0,
    archiveBytes: content.data.length,
    storedBytes: content.data.length,
    digest: blake3(content.data).toString('hex'),
    indexBytes: content.index.length,
    indexDigest: blake3(content.index).toString('hex'),
    frames: 1,
    last: false,
  };
}

/** Bytes that depend on their place, so that a shifted read shows. */
export function patternBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) bytes[at] = (at * 31 + (at >> 8) * 7 + seed) & 0xff;
  return bytes;
}

/** Writes and seals a fragment. */
export async function write(
  store: FragmentStore,
  name: FragmentName,
  content: { data: Buffer; index: Buffer },
): Promise<void> {
  const writer = await store.create(name);
  const half = Math.floor(content.data.length / 2);
  try {
    await writer.writeData([content.data.subarray(0, half), content.data.subarray(half)]);
    await writer.writeIndex([content.index]);
    await writer.seal(manifestOf(name, content));
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

export async function trashOf(store: FragmentStore, only?: string): Promise<TrashedFragment[]> {
  const found: TrashedFragment[] = [];
  for await (const fragment of store.trash(only)) found.push(fragment);
  return found;
}

export async function all(store: FragmentStore): Promise<StoredFragment[]> {
  const found: StoredFragment[] = [];
  for await (const fragment of store.list()) found.push(fragment);
  return found;
}
