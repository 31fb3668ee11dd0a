import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { compress, decompress } from './zstd.js';
import {
  RAW_BLOCK_BYTES,
  rawBlockAt,
  rawContent,
  rawFrame,
  rawFrameBytes,
  rawFrameContent,
  rawFramePieces,
  writeRawHeaders,
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
    const others = [await compress(data, 3), raw.subarray(0, -1), Buffer.alloc(3), Buffer.alloc(9)];
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

  it.each([0, 1, 131_072, 131_073, 300_000])('of %i bytes can be filled where it lies', (n) => {
    const data = randomBytes(n);
    const frame = randomBytes(rawFrameBytes(n) + 7);
    for (let at = 0; at < n; at += RAW_BLOCK_BYTES) {
      data.copy(frame, rawBlockAt(at / RAW_BLOCK_BYTES), at, at + RAW_BLOCK_BYTES);
    }
    const behind = Buffer.from(frame.subarray(-7));
    writeRawHeaders(frame, n);
    expect(frame.subarray(0, -7).equals(rawFrame(data))).toBe(true);
    expect(frame.subarray(-7).equals(behind)).toBe(true);
  });

  it('shares its parts with what it was made of', () => {
    const data = randomBytes(300_000);
    const [, part] = rawFramePieces(data);
    expect(part!.buffer).toBe(data.buffer);
  });
});
