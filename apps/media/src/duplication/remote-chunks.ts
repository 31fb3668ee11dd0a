import type { ChunkEntry, ChunkFrame, ChunkSource, PlacedChunk } from '#storage/chunk-intake.js';
import { IDS_PER_BATCH_MAX } from '#storage/chunks/chunk-id.js';
import { PieceBuffers } from '#storage/chunks/containers/container-reader.js';
import { holdsItsChunks } from '#storage/chunks/containers/holds-its-chunks.js';
import { FragmentDamaged } from '#storage/errors.js';
import type { FragmentReaderClient } from '#transfer/fragment-reader-client.js';

type Client = Pick<FragmentReaderClient, 'recipe' | 'chunks'>;

/** What is named at once comes to so many bytes: 4,000 small chunks, about. */
const LISTED_BYTES = 64 * 1024 * 1024;
/** Small enough for the answer to be on its way within a moment. */
const WANTED_MAX = 1_024;

/**
 * The chunks of a fragment on another media server; undefined if it is not made of chunks. What comes is checked by
 * its ids: on this side they stand for what the client has, whoever gave the bytes. Throws what
 * `FragmentReaderClient.read` throws, and `FragmentDamaged` for a chunk that is not what its id says.
 */
export async function remoteChunks(
  client: Client,
  fragmentId: string,
): Promise<ChunkSource | undefined> {
  const head = await client.recipe({ fragmentId, offset: 0, length: 0 });
  if (!head) return undefined;
  const { domain, frameBytes } = head;
  return {
    domain,
    frameBytes,
    list: (from) => listOf(client, fragmentId, from),
    frames: (chunks, wholeFrom) => framesOf(client, fragmentId, { chunks, wholeFrom }),
  };
}

async function* listOf(
  client: Client,
  fragmentId: string,
  from = 0,
): AsyncGenerator<readonly PlacedChunk[]> {
  for (let next = from; ;) {
    const range = { fragmentId, offset: next, length: LISTED_BYTES };
    const { offset = next, chunks = [] } = (await client.recipe(range)) ?? {};
    if (chunks.length === 0) return;
    next = offset;
    for (let at = 0; at < chunks.length; at += IDS_PER_BATCH_MAX) {
      yield chunks.slice(at, at + IDS_PER_BATCH_MAX).map((chunk) => {
        const placed = { ...chunk, offset: next };
        next += chunk.length;
        return placed;
      });
    }
  }
}

async function* framesOf(
  client: Client,
  fragmentId: string,
  { chunks, wholeFrom = 1 }: { chunks: readonly ChunkEntry[]; wholeFrom: number | undefined },
): AsyncGenerator<ChunkFrame> {
  const wholePercent = Math.max(1, Math.round(wholeFrom * 100));
  for (let at = 0; at < chunks.length; at += WANTED_MAX) {
    const some = chunks.slice(at, at + WANTED_MAX);
    yield* checked(client.chunks({ fragmentId, wholePercent, chunks: some }), fragmentId);
  }
}

/** One is unpacked and hashed while the one before it is written. */
async function* checked(
  frames: AsyncIterable<ChunkFrame>,
  fragmentId: string,
): AsyncGenerator<ChunkFrame> {
  const buffers = new PieceBuffers();
  let last: { frame: ChunkFrame; isSound: Promise<boolean> } | undefined;
  const proven = async ({ frame, isSound }: NonNullable<typeof last>) => {
    if (await isSound) return frame;
    throw new FragmentDamaged(fragmentId, 'came with a chunk that is not what its id says');
  };
  for await (const frame of frames) {
    const next = { frame, isSound: holdsItsChunks(frame, buffers) };
    if (last) yield await proven(last);
    last = next;
  }
  if (last) yield await proven(last);
}
