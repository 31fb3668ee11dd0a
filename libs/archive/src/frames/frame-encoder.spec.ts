import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';

import { describe, expect, it } from '@jest/globals';
import { decompress } from './zstd.js';

import { noise } from '../../../../test/support/odd-tree-maker.js';
import { compress } from './zstd.js';
import { FrameEncoder } from './frame-encoder.js';
import { rawFrame } from './raw-frame.js';

const MIB = 1024 * 1024;

const random = () => randomFillSync(Buffer.alloc(MIB));
const text = () => Buffer.alloc(MIB, 'some words, again and again; ');

describe('a frame of raw blocks', () => {
  it.each([0, 1, 128 * 1024, 128 * 1024 + 1, MIB, MIB + 77])(
    'gives %i bytes back',
    async (bytes) => {
      const data = noise(bytes, 7);
      const frame = rawFrame(data);
      expect((await decompress(frame)).equals(data)).toBe(true);
      const { stdout } = spawnSync('zstd', ['-dc'], { input: frame, maxBuffer: 4 * MIB });
      expect(stdout.equals(data)).toBe(true);
    },
  );
});

describe('frames of a backup', () => {
  it('are whole, whatever they hold', async () => {
    const encoder = new FrameEncoder(1);
    for (const data of [random(), random(), text(), noise(1_000, 3), random(), Buffer.alloc(MIB)]) {
      const { pieces, bytes } = await encoder.encode(data);
      const frame = Buffer.concat(pieces as Buffer<ArrayBuffer>[]);
      expect(frame.length).toBe(bytes);
      expect((await decompress(frame)).equals(data)).toBe(true);
    }
  });

  it('are not compressed while that is in vain, and again as soon as it is not', async () => {
    let squeezed: number[] = [];
    const encoder = new FrameEncoder(5, (data, level) => {
      squeezed.push(data.length);
      return compress(data, level);
    });
    const whatIsCompressed = async (data: Buffer) => {
      squeezed = [];
      await encoder.encode(data);
      return squeezed;
    };
    const sample = 96 * 1024;
    expect(await whatIsCompressed(random())).toEqual([MIB]);
    expect(await whatIsCompressed(random())).toEqual([sample]);
    expect(await whatIsCompressed(random().subarray(0, 100_000))).toEqual([100_000]);
    expect(await whatIsCompressed(random())).toEqual([sample]);
    expect(await whatIsCompressed(text())).toEqual([sample, MIB]);
    // What compresses costs no sample.
    expect(await whatIsCompressed(text())).toEqual([MIB]);
    expect(await whatIsCompressed(random())).toEqual([MIB]);
  });

  it('are compressed where a part of them becomes smaller', async () => {
    const encoder = new FrameEncoder(1);
    await encoder.encode(random());
    const mixed = Buffer.concat([random().subarray(0, MIB / 2), text().subarray(0, MIB / 2)]);
    expect((await encoder.encode(mixed)).bytes).toBeLessThan(0.6 * MIB);
  });
});
