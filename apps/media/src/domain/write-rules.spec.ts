import { describe, expect, it } from '@jest/globals';
import { FRAMES_MAX, frameTableBytes, type FrameRecord } from '#archive/frames/frame-table.js';
import { MESSAGE_BYTES_MAX } from '#transfer/message.js';
import { checkFrame, checkIndex } from './write-rules.js';

const TIB = 2 ** 40;
const frame = { archiveBytes: 1, storedBytes: 10 };

const NOTHING_WRITTEN = { frames: [], storedBytes: 0, archiveBytes: 0, indexBytes: 0 };

describe('A fragment that is written', () => {
  const record: FrameRecord = { ...frame, digest: Buffer.alloc(32) };
  const framesSoFar = (frames: number) => ({
    ...NOTHING_WRITTEN,
    frames: Array.from({ length: frames }, () => record),
  });

  it('may have as many frames as an agent gives it, with a table that fits into one message', () => {
    expect(() => checkFrame(framesSoFar(FRAMES_MAX - 1), frame, TIB)).not.toThrow();
    expect(() => checkIndex({ indexBytes: 0 }, frameTableBytes(FRAMES_MAX))).not.toThrow();
    expect(1 + 32 + frameTableBytes(FRAMES_MAX)).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
    expect(() => checkFrame(framesSoFar(FRAMES_MAX), frame, TIB)).toThrow(/in 104801 frames/);
  });
});
