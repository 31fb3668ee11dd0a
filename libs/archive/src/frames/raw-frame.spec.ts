import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { decompress } from '@mongodb-js/zstd';
import {
  emptyRawFrame,
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
    const [, , part] = rawFramePieces(data);
    expect(part!.buffer).toBe(data.buffer);
  });
});
