import { blake3 } from '#kernel/blake3.js';
import { freeBytes } from '#kernel/free-bytes.js';
import { FragmentUnreadable } from '#storage/errors.js';
import type { SealedFragmentReader } from '#storage/fragment-store.js';
import { chunksHead, encodeNames, type WantedChunks } from '#transfer/chunk-messages.js';
import type { Connection } from '#transfer/connection.js';
import { MESSAGE } from '#transfer/message.js';
import type { ReadEnd } from '#transfer/payloads.js';

/**
 * Names the chunks that a range of what they come to is made of. Nothing is named of a fragment that is not
 * made of chunks. Throws `FragmentUnreadable` where its recipe cannot be read.
 */
export async function answerRecipe(
  { chunks: source }: SealedFragmentReader,
  { offset, length }: { readonly offset: number; readonly length: number },
  connection: Connection,
): Promise<ReadEnd> {
  if (!source) return { size: 0 };
  const { domain, frameBytes } = source;
  const end = offset + length;
  let size = 0;
  let first: number | undefined;
  if (length > 0) {
    for await (const chunks of source.list(offset)) {
      const named = chunks.filter((one) => one.offset < end && one.offset + one.length > offset);
      first ??= named[0]?.offset;
      size += named.length;
      if (named.length > 0) await connection.send(MESSAGE.RECIPE, encodeNames(named));
      const last = chunks.at(-1);
      if (last && last.offset + last.length >= end) break;
    }
  }
  return { size, recipe: { domain, frameBytes, offset: first ?? offset } };
}

/** Sends the frames with some of a fragment's chunks. Throws `FragmentUnreadable`. */
export async function answerGet(
  { chunks: source, manifest }: SealedFragmentReader,
  { chunks, wholePercent }: WantedChunks,
  { connection, onBytes }: { connection: Connection; onBytes: (bytes: number) => void },
): Promise<ReadEnd> {
  if (!source) throw new FragmentUnreadable(manifest.fragmentId, 'is not made of chunks');
  let size = 0;
  for await (const frame of source.frames(chunks, wholePercent / 100)) {
    const { stored, digest = blake3(stored) } = frame;
    onBytes(stored.length);
    const head = chunksHead(frame.chunks, digest);
    await connection.lend(MESSAGE.CHUNKS, [head, stored], () => freeBytes(stored));
    size += frame.chunks.length;
  }
  return { size };
}
