import { randomBytes } from 'node:crypto';
import { compress } from '#archive/frames/zstd.js';
import { blake3 } from '#kernel/blake3.js';
import { encodeFrameTable } from '#archive/frames/frame-table.js';
import { rawFrame } from '#archive/frames/raw-frame.js';
import { framedData, type TestChunk } from '#storage/testing/chunks.js';
import type { FragmentWriterClient } from '#transfer/fragment-writer-client.js';
import type { Seal } from '#transfer/payloads.js';
import { CHUNKS_READY } from '../sessions/chunk-receiver.js';

/** One fragment as an agent would send it to a volume that deduplicates. */
export interface SampleRecipe {
  readonly chunks: readonly TestChunk[];
  /** What a reader gets. */
  readonly data: Buffer;
  /** Index lines, then the frame table. */
  readonly index: readonly { digest: Buffer; bytes: Buffer }[];
  readonly claim: Seal;
}

const CHUNK_BYTES = 300_000;

/** A chunk that nothing else is like. */
export function randomChunk(length = CHUNK_BYTES): TestChunk {
  const bytes = Buffer.alloc(length);
  randomBytes(length / 2).copy(bytes);
  return { id: blake3(bytes), length, bytes };
}

/** Fragments of these chunks, the last one of which ends the image. */
export async function sampleRecipes(
  fragments: readonly (readonly TestChunk[])[],
): Promise<SampleRecipe[]> {
  const recipes: SampleRecipe[] = [];
  let archiveOffset = 0;
  for (const [at, chunks] of fragments.entries()) {
    const archive = Buffer.concat(chunks.map(({ bytes }) => bytes));
    const { frameBytes } = CHUNKS_READY;
    const parts: Buffer[] = [];
    for (let from = 0; from < archive.length; from += frameBytes) {
      parts.push(archive.subarray(from, from + frameBytes));
    }
    const records = parts.map((part) => {
      const frame = rawFrame(part);
      return { storedBytes: frame.length, archiveBytes: part.length, digest: blake3(frame) };
    });
    const lines = await compress(Buffer.from(`f\tfile-${at + 1}\n`), 3);
    const index = [lines, encodeFrameTable(records)].map((bytes) => ({
      ...{ bytes, digest: blake3(bytes) },
    }));
    const data = framedData(archive, frameBytes);
    const claim = {
      ...{ number: at + 1, archiveOffset, archiveBytes: archive.length, frames: records.length },
      ...{ last: at === fragments.length - 1, dataDigest: blake3(data).toString('hex') },
    };
    recipes.push({ chunks, data, index, claim });
    archiveOffset += archive.length;
  }
  return recipes;
}

/** Sends everything of a fragment but its SEAL: what is not there, the names, the index. */
export async function sendRecipe(
  writer: FragmentWriterClient,
  { chunks, index }: SampleRecipe,
): Promise<void> {
  const known = await writer.ask(chunks.map(({ id }) => id));
  for (const [at, chunk] of chunks.entries()) if (!known[at]) await sendChunk(writer, chunk);
  await writer.recipe(chunks);
  for (const block of index) await writer.index(block);
}

export async function sendChunk(writer: FragmentWriterClient, chunk: TestChunk): Promise<void> {
  const bytes = await compress(chunk.bytes, 3);
  await writer.chunks({ pieces: [bytes], digest: blake3(bytes), chunks: [chunk] });
}

export function recipeTotals(recipes: readonly SampleRecipe[]) {
  const bytes = recipes.reduce((sum, { claim }) => sum + claim.archiveBytes, 0);
  return { fragments: recipes.length, files: recipes.length, bytes, kind: 'full' };
}

/** Sends a whole backup and waits for its end. */
export async function sendRecipes(
  writer: FragmentWriterClient,
  recipes: readonly SampleRecipe[],
): Promise<void> {
  let sealing: Promise<void> = Promise.resolve();
  for (const recipe of recipes) {
    await sendRecipe(writer, recipe);
    await sealing;
    sealing = writer.seal(recipe.claim);
    sealing.catch(() => undefined);
  }
  await sealing;
  await writer.finish(recipeTotals(recipes));
}
