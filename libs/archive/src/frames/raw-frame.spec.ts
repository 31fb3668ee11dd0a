import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { compress, decompress } from './zstd.js';
import {
  emptyRawFrame,
  rawContent,
  rawFrame,
  rawFrameBytes,
  rawFrameContent,
  rawFramePieces,
} from './raw-frame.js';

describe('a raw frame', () => {
  it.each([0, 1, 131_071, 131_072, 131_073, 1_048_576])('holds %i bytes as they are', async (n) => {
    const data = randomBytes(n);
    const frame = rawFrame(data);
    expect(frame).toHaveLength(rawFrameBytes(n));
    expect((await decompress(frame)).equals(data)).toBe(true);
    expect(Buffer.concat(rawFrameContent(frame)).equals(data)).toBe(true);
    expect(rawContent(Buffer.from(frame))!.equals(data)).toBe(true);
  });

  it('is told from every other', async () => {
    const data = Buffer.concat([randomBytes(200_000), Buffer.alloc(200_000)]);
    const raw = rawFrame(data);
    const others = [await compress(data), raw.subarray(0, -1), Buffer.alloc(3), Buffer.alloc(9)];
    // A block that is one byte, so many times; one that is compressed; one too early that is the last.
    for (const header of [2, 4, 1]) {
      const other = Buffer.from(raw);
      other[9 + 3 + 131_072]! |= header;
      others.push(other);
    }
    for (const other of others) {
      const before = Buffer.from(other);
      expect(rawContent(other)).toBeUndefined();
      expect(other.equals(before)).toBe(true);
    }
  });

  it.each([0, 1, 131_072, 300_000])('of %i bytes can be filled afterwards', (n) => {
    const data = randomBytes(n);
    const { frame, parts } = emptyRawFrame(n);
    let at = 0;
    for (const part of parts) at += data.copy(part, 0, at);
    expect(at).toBe(n);
    expect(frame.equals(rawFrame(data))).toBe(true);
  });

  it('shares its parts with what it was made of', () => {
    const data = randomBytes(300_000);
    const [, part] = rawFramePieces(data);
    expect(part!.buffer).toBe(data.buffer);
  });
});
