import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';
import { compress } from '#archive/frames/zstd.js';
import type { NamedChunk, WantedChunks } from '#transfer/chunk-messages.js';
import type { SentFrame } from '#transfer/fragment-reader-client.js';
import { ChunkedArchives } from './chunked-archives.js';

const CHUNK = 20_000;
const CHUNKS_PER_FRAME = 4;
/** Of unpacked frames: two of them. */
const KEPT_BYTES = 2 * CHUNKS_PER_FRAME * CHUNK;

/** A media server in memory: it has frames of chunks, and a fragment that names some of them. */
class Server {
  readonly chunks: (NamedChunk & { readonly bytes: Buffer })[];
  readonly frames: { readonly of: readonly NamedChunk[]; stored: Buffer }[] = [];
  /** Chunks of each GET. */
  readonly gets: number[] = [];
  sentFrames = 0;
  frameBytes: number | undefined = 1_048_576;

  private constructor(
    count: number,
    /** What the fragment names, by their numbers. */
    readonly recipeOf: readonly number[],
  ) {
    this.chunks = Array.from({ length: count }, () => {
      const bytes = randomBytes(CHUNK);
      return { id: blake3(bytes), length: CHUNK, bytes };
    });
  }

  static async make(count: number, recipeOf: readonly number[]): Promise<Server> {
    const server = new Server(count, recipeOf);
    for (let at = 0; at < count; at += CHUNKS_PER_FRAME) {
      const of = server.chunks.slice(at, at + CHUNKS_PER_FRAME);
      server.frames.push({
        of,
        stored: await compress(Buffer.concat(of.map((one) => one.bytes)), 3),
      });
    }
    return server;
  }

  get archive(): Buffer {
    return Buffer.concat(this.recipeOf.map((n) => this.chunks[n]!.bytes));
  }

  async recipe({ offset, length }: { offset: number; length: number }) {
    const first = Math.floor(offset / CHUNK);
    const chunks = this.recipeOf
      .slice(first, Math.ceil((offset + length) / CHUNK))
      .map((n) => ({ id: Buffer.from(this.chunks[n]!.id), length: CHUNK }));
    return { domain: 'web1', frameBytes: this.frameBytes, offset: first * CHUNK, chunks };
  }

  async *chunksOf({ chunks }: WantedChunks): AsyncGenerator<SentFrame> {
    this.gets.push(chunks.length);
    for (const { of, stored } of this.frames) {
      if (!of.some(({ id }) => chunks.some((one) => one.id.equals(id)))) continue;
      this.sentFrames += 1;
      yield {
        // In memory of its own: the reader gives it back.
        stored: Buffer.from(new Uint8Array(stored).buffer),
        digest: blake3(stored),
        chunks: of.map(({ id, length }) => ({ id: Buffer.from(id), length })),
      };
    }
  }

  reader(keptBytes = KEPT_BYTES): ChunkedArchives {
    const client = {
      recipe: (range: { offset: number; length: number }) => this.recipe(range),
      chunks: (wanted: WantedChunks) => this.chunksOf(wanted),
    };
    return new ChunkedArchives(client, keptBytes);
  }
}

const fragmentId = 'f1';
const inOrder = (count: number) => Array.from({ length: count }, (_, n) => n);

describe('An archive that lies as chunks', () => {
  it('is put together from its frames, each of which comes once where it is read in order', async () => {
    const server = await Server.make(40, inOrder(40));
    const reader = server.reader();
    const step = 3 * CHUNK + 777;
    const parts: (Buffer | undefined)[] = [];
    for (let offset = 0; offset < 40 * CHUNK; offset += step) {
      const length = Math.min(step, 40 * CHUNK - offset);
      parts.push(await reader.read({ fragmentId, offset, length }));
    }
    expect(Buffer.concat(parts as Buffer[]).equals(server.archive)).toBe(true);
    expect(server.sentFrames).toBe(10);
  });

  it('may be read in several places at once, beyond what is kept', async () => {
    // Every frame is needed again and again.
    const recipe = Array.from({ length: 200 }, (_, n) => (n * 7) % 40);
    const server = await Server.make(40, recipe);
    const reader = server.reader(CHUNK);
    const ranges = Array.from({ length: 30 }, (_, n) => ({
      offset: (n * 131_071) % (190 * CHUNK),
      length: 10 * CHUNK - (n % 5),
    }));
    const parts = await Promise.all(ranges.map((range) => reader.read({ fragmentId, ...range })));
    parts.forEach((part, n) => {
      const { offset, length } = ranges[n]!;
      expect(part!.equals(server.archive.subarray(offset, offset + length))).toBe(true);
    });
  });

  it('has a chunk several times in one range', async () => {
    const server = await Server.make(4, [0, 0, 3, 0, 3]);
    const reader = server.reader();
    const whole = await reader.read({ fragmentId, offset: 0, length: 5 * CHUNK });
    expect(whole!.equals(server.archive)).toBe(true);
    expect(server.gets).toEqual([2]);
  });

  it('is left to others where its chunks are not those of the archive, which is asked once', async () => {
    const server = await Server.make(4, inOrder(4));
    server.frameBytes = undefined;
    const reader = server.reader();
    for (const _ of [1, 2]) {
      expect(await reader.read({ fragmentId, offset: 0, length: CHUNK })).toBeUndefined();
    }
    expect(server.gets).toEqual([]);
  });

  it.each<[string, (stored: Buffer) => Buffer | Promise<Buffer>]>([
    ['is no frame', (stored) => stored.fill(1, 0, 4)],
    ['is cut', (stored) => stored.subarray(0, -5)],
    ['holds something else', () => compress(randomBytes(100), 3)],
  ])('is not made of a frame that %s; the next read gets another chance', async (_, change) => {
    const server = await Server.make(8, inOrder(8));
    const reader = server.reader();
    const good = server.frames[1]!.stored;
    server.frames[1]!.stored = await change(Buffer.from(good));
    const range = { fragmentId, offset: 0, length: 8 * CHUNK };
    await expect(reader.read(range)).rejects.toMatchObject({ status: 85 });
    const first = await reader.read({ ...range, length: CHUNK });
    expect(first!.equals(server.archive.subarray(0, CHUNK))).toBe(true);
    server.frames[1]!.stored = good;
    expect((await reader.read(range))!.equals(server.archive)).toBe(true);
  });

  it('is an error where a chunk does not come, or the fragment ends early', async () => {
    const server = await Server.make(8, inOrder(8));
    const reader = server.reader();
    const beyond = { fragmentId, offset: 7 * CHUNK, length: 2 * CHUNK };
    await expect(reader.read(beyond)).rejects.toThrow(/ends 20000 bytes early/);
    server.frames.pop();
    const lost = server.reader();
    const whole = { fragmentId, offset: 0, length: 8 * CHUNK };
    await expect(lost.read(whole)).rejects.toThrow(/did not come/);
  });
});
