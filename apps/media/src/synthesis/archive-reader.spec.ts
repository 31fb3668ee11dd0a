import { describe, expect, it } from '@jest/globals';
import { compress } from '#archive/frames/zstd.js';
import { ArchiveReader } from './archive-reader.js';
import type { FramePlace } from './chain-image.js';
import { ImageDamaged } from './image-damaged.js';

const FRAMES = 40;
const FRAME_BYTES = 1_000;
const place = (index: number, archiveBytes = FRAME_BYTES): FramePlace => ({
  ...{ number: 1, index, storedOffset: index * 100, storedBytes: 100, digest: Buffer.alloc(32) },
  ...{ archiveOffset: index * FRAME_BYTES, archiveBytes },
});

describe('The archive of an image', () => {
  /** Which frames were fetched. */
  const make = (framesAhead: number, stored?: Buffer) => {
    const fetched: number[] = [];
    const image = {
      frameAt: async (at: number) => place(Math.floor(at / FRAME_BYTES)),
      nextTo: ({ index }: FramePlace) => (index + 1 < FRAMES ? place(index + 1) : undefined),
      stored: async ({ index }: FramePlace) => {
        fetched.push(index);
        return stored ?? (await compress(Buffer.alloc(FRAME_BYTES, index), 3));
      },
      damagedAt: (_: number, reason: string) => new ImageDamaged({ imageId: 'odd' }, reason),
      close: async () => undefined,
    };
    return { reader: new ArchiveReader(image, framesAhead), fetched };
  };

  it('is fetched once where it is read in order, a few frames ahead', async () => {
    const { reader, fetched } = make(3);
    await reader.bytes(place(0));
    expect(fetched).toEqual([0, 1, 2, 3]);
    for (let index = 0; index < FRAMES; index += 1) {
      expect((await reader.bytes(place(index)))[0]).toBe(index);
      expect(Math.max(...fetched)).toBeLessThanOrEqual(index + 3);
    }
    expect(fetched).toEqual(Array.from({ length: FRAMES }, (_, index) => index));
  });

  it.each([0, 3])(
    'is not kept in memory where it is read backwards, %i frames ahead',
    async (n) => {
      const { reader, fetched } = make(n);
      for (let index = FRAMES - 1; index >= 0; index -= 1) await reader.stored(place(index));
      const before = fetched.length;
      if (n === 0) expect(before).toBe(FRAMES);
      // All but the last ones are fetched again.
      for (let index = n + 1; index < FRAMES; index += 1) await reader.stored(place(index));
      expect(new Set(fetched.slice(before)).size).toBe(FRAMES - 1 - n);
    },
  );

  it.each([
    ['of another size', 10],
    ['that would fill the memory', 64 * 2 ** 20],
  ])('with a frame %s is damaged', async (_, bytes) => {
    const { reader } = make(0, await compress(Buffer.alloc(bytes), 3));
    await expect(reader.bytes(place(0))).rejects.toThrow(/image odd: a frame has another size/);
  });

  it('with a frame that is none is damaged', async () => {
    const frame = await compress(Buffer.alloc(FRAME_BYTES, 1), 3);
    frame[frame.length - 1]! ^= 0xff;
    await expect(make(0, frame).reader.bytes(place(0))).rejects.toThrow(ImageDamaged);
  });
});
