import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { compress } from './zstd.js';
import { rawFrame } from '#archive/frames/raw-frame.js';
import { isFrameOf } from './frame-bound.js';

const KIB = 1024;

describe('Whether a frame may be decompressed', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a byte', Buffer.from('x')],
    ['300 bytes', randomBytes(300)],
    ['what cannot be compressed', randomBytes(4 * KIB * KIB)],
    ['what can', Buffer.alloc(4 * KIB * KIB, 'holdfast ')],
    ['both', Buffer.concat([randomBytes(700 * KIB), Buffer.alloc(300 * KIB)])],
    ['text', Buffer.from(Array.from({ length: 90_000 }, (_, n) => `${n * 7919}\n`).join(''))],
  ])('is yes for a frame of %s', async (_, bytes) => {
    for (const level of [1, 3, 15, 16, 17, 18, 19]) {
      expect(isFrameOf(await compress(bytes, level), bytes.length)).toBe(true);
    }
    expect(isFrameOf(rawFrame(bytes), bytes.length)).toBe(true);
  });

  it('is no for what comes to more than its chunks do', async () => {
    const bomb = await compress(Buffer.alloc(64 * KIB * KIB), 3);
    expect(bomb.length).toBeLessThan(16 * KIB);
    expect(isFrameOf(bomb, 64 * KIB * KIB)).toBe(true);
    expect(isFrameOf(bomb, 100 * KIB)).toBe(false);
    // One that states nothing: the descriptor of a window in place of the size.
    const blocks = bomb.subarray(bomb.length - 300);
    const window = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
    const runs = Array.from({ length: 200 }, () => Buffer.from([0x02, 0x00, 0x10, 0x00]));
    const last = Buffer.from([0x01, 0x00, 0x00]);
    expect(isFrameOf(Buffer.concat([window, ...runs, last]), 100 * KIB)).toBe(false);
    expect(isFrameOf(Buffer.concat([window, ...runs, last]), 200 * 128 * KIB)).toBe(true);
    expect(isFrameOf(blocks, 300)).toBe(false);
  });

  it('is no for two frames, for a part of one, and for none', async () => {
    const frame = await compress(Buffer.from('holdfast'), 3);
    expect(isFrameOf(Buffer.concat([frame, frame]), 8)).toBe(false);
    expect(isFrameOf(Buffer.concat([frame, frame]), 16)).toBe(false);
    for (let at = 0; at < frame.length; at += 1) {
      expect(isFrameOf(frame.subarray(0, at), 8)).toBe(false);
    }
    expect(isFrameOf(randomBytes(100), 8)).toBe(false);
  });
});
