import { randomFillSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, describe, expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';

import { noise } from '../../../../../test/support/odd-tree-maker.js';

import {
  rawFrame,
  rawBlockAt,
  writeRawHeaders,
  RAW_BLOCK_BYTES,
} from '#archive/frames/raw-frame.js';
import { encodeSeekTable } from '#archive/frames/seek-table.js';
import { decompress } from '#archive/frames/zstd.js';

import { SOURCE_ENCODERS } from '../testing/source-threads.js';
import { FrameThread } from './frame-thread.js';

const MIB = 1024 * 1024;
/** Longer than it takes where nothing else is at work. */
const LONG_MS = 1_100;
/** More than a thread is kept behind. */
const MANY = 65;

let frames: FrameThread;
afterEach(() => frames.end());

const begin = (level = 1) => (frames = new FrameThread(level, SOURCE_ENCODERS));
const memoryOf = (data: Buffer, bytes = MIB) => {
  const memory = Buffer.from(new SharedArrayBuffer(bytes));
  memory.set(data);
  return memory;
};
const random = (bytes = MIB) => randomFillSync(Buffer.alloc(bytes));
const text = (bytes = MIB) => Buffer.alloc(bytes, 'some words, again and again; ');

describe('frames that another thread makes', () => {
  it.each([
    ['what compresses', [text()]],
    ['what does not', [random(), random(), random()]],
    ['what is smaller than a frame of it', [random(5), random(1)]],
    ['less than the memory holds', [text(77_000), noise(500_000, 3), random(300_000)]],
    ['a turn from one to the other', [random(), random(), text(), text(), random()]],
  ])('hold what lay there: %s', async (_, all) => {
    begin();
    for (const data of all) {
      const { pieces, bytes, digest } = await frames.make(memoryOf(data), data.length);
      const frame = Buffer.concat(pieces as Buffer<ArrayBuffer>[]);
      expect(frame.length).toBe(bytes);
      expect(blake3(frame).equals(digest)).toBe(true);
      expect((await decompress(frame)).equals(data)).toBe(true);
    }
  });

  it('lie where their data lay, so that nothing is allocated for them', async () => {
    begin();
    for (const data of [text(), random(), random()]) {
      const memory = memoryOf(data);
      const { pieces } = await frames.make(memory, data.length);
      for (const piece of pieces) {
        if (piece.length > 12) expect(piece.buffer).toBe(memory.buffer);
      }
    }
  });

  it('are made side by side, and again in the same memories', async () => {
    begin(3);
    const memories = Array.from({ length: 6 }, () => memoryOf(Buffer.alloc(0)));
    for (let round = 0; round < 5; round++) {
      const made = memories.map(async (memory, n) => {
        const data = noise(200_000 + n * 1_000, round * 10 + n);
        memory.set(data);
        const { pieces } = await frames.make(memory, data.length);
        const back = await decompress(Buffer.concat(pieces as Buffer<ArrayBuffer>[]));
        expect(back.equals(data)).toBe(true);
      });
      await Promise.all(made);
    }
  });

  it('are taken as they are where they are raw ones already, with the digest of each fragment', async () => {
    begin();
    const fragments = [[random(), random(300_000)], [random(77)], [random(), random()]];
    const digests = fragments.map((all) => {
      for (const data of all) {
        const memory = Buffer.from(new SharedArrayBuffer(rawFrame(data).length));
        for (let block = 0; block * RAW_BLOCK_BYTES < data.length; block++) {
          const part = data.subarray(block * RAW_BLOCK_BYTES, (block + 1) * RAW_BLOCK_BYTES);
          memory.set(part, rawBlockAt(block));
        }
        writeRawHeaders(memory, data.length);
        void frames.raw(memory, data.length).then(({ pieces, digest }) => {
          expect(Buffer.concat(pieces as Buffer<ArrayBuffer>[]).equals(rawFrame(data))).toBe(true);
          expect(blake3(rawFrame(data)).equals(digest)).toBe(true);
        });
      }
      return frames.endData();
    });
    for (const [n, all] of fragments.entries()) {
      const raw = all.map(rawFrame);
      const sizes = raw.map(({ length }, at) => ({
        storedBytes: length,
        archiveBytes: all[at]!.length,
      }));
      const data = Buffer.concat([...raw, encodeSeekTable(sizes)] as Buffer<ArrayBuffer>[]);
      expect(await digests[n]).toBe(blake3(data).toString('hex'));
    }
  });

  it('take the level that they are given', async () => {
    const data = Buffer.concat(
      Array.from({ length: 1_000 }, (_, n) => Buffer.from(`line ${n * n} of a list\n`)),
    );
    const bytes = async (level: number) => {
      const made = await begin(level).make(memoryOf(data), data.length);
      frames.end();
      return made.bytes;
    };
    expect(await bytes(19)).toBeLessThan(await bytes(1));
    begin();
  });

  it('come from one thread, backup after backup', async () => {
    const first = SOURCE_ENCODERS.take();
    SOURCE_ENCODERS.giveBack(first);
    await begin().make(memoryOf(text()), MIB);
    frames.end();
    expect(SOURCE_ENCODERS.take()).toBe(first);
    SOURCE_ENCODERS.giveBack(first);
    begin();
  });

  it('come from that thread again, however long it took for a few', async () => {
    begin();
    const first = SOURCE_ENCODERS.taken.at(-1);
    await frames.make(memoryOf(text()), MIB);
    await sleep(LONG_MS);
    frames.end();
    begin();
    expect(SOURCE_ENCODERS.taken.at(-1)).toBe(first);
  });

  it('come from another one behind many', async () => {
    begin();
    const first = SOURCE_ENCODERS.taken.at(-1);
    const memory = memoryOf(text(100), 1_000);
    for (let made = 0; made < MANY; made += 1) await frames.make(memory, 100);
    frames.end();
    begin();
    expect(SOURCE_ENCODERS.taken.at(-1)).not.toBe(first);
  });

  it('do not come, and nothing waits, if the thread ends', async () => {
    begin();
    const made = Array.from({ length: 4 }, () => frames.make(memoryOf(random()), MIB));
    const failed = Promise.allSettled(made);
    await SOURCE_ENCODERS.taken.at(-1)!.terminate();
    for (const result of await failed) {
      if (result.status === 'rejected') expect(String(result.reason)).toContain('ended early');
    }
    await expect(frames.make(memoryOf(text()), MIB)).rejects.toThrow('ended early');
  });

  it('are made to the last one that was asked for before the end, and none behind it', async () => {
    begin();
    const last = frames.make(memoryOf(text()), MIB);
    frames.end();
    frames.end();
    await expect(frames.make(memoryOf(text()), MIB)).rejects.toThrow('has ended');
    await expect(frames.endData()).rejects.toThrow('has ended');
    expect((await last).bytes).toBeLessThan(MIB);
    await expect(frames.raw(memoryOf(text()), 1_000)).rejects.toThrow('has ended');
  });

  it('are refused of memory that one thread sees alone', async () => {
    begin();
    await expect(async () => frames.make(text(), MIB)).rejects.toThrow('of one thread');
  });
});
