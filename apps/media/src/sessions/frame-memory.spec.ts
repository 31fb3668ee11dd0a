import { describe, expect, it } from '@jest/globals';
import { MESSAGE } from '#transfer/message.js';
import { FrameMemory } from './frame-memory.js';

const MIB = 1024 * 1024;

describe('The memory of frames', () => {
  it('is used again once it was given back, for frames and chunks', () => {
    const memory = new FrameMemory();
    const first = memory.place(MESSAGE.FRAME, MIB + 100)!;
    const second = memory.place(MESSAGE.FRAME, MIB)!;
    expect(first.length).toBe(MIB + 100);
    expect(second.buffer).not.toBe(first.buffer);
    memory.giveBack([first]);
    const third = memory.place(MESSAGE.CHUNKS, 700_000)!;
    expect(third.buffer).toBe(first.buffer);
    expect(third.length).toBe(700_000);
  });

  it('is not given to what is short, too long or something else', () => {
    const { place } = new FrameMemory();
    expect(place(MESSAGE.FRAME, 500_000)).toBeUndefined();
    expect(place(MESSAGE.FRAME, 2 * MIB)).toBeUndefined();
    expect(place(MESSAGE.INDEX, MIB)).toBeUndefined();
  });

  it('goes back to the system: what is not its own, more than it keeps, and at the end all', () => {
    const memory = new FrameMemory();
    const foreign = Buffer.allocUnsafeSlow(100_000);
    memory.giveBack([foreign]);
    expect(foreign.length).toBe(0);
    const many = Array.from({ length: 6 }, () => memory.place(MESSAGE.FRAME, MIB)!);
    memory.giveBack(many);
    expect(many.map(({ length }) => length)).toEqual([MIB, MIB, MIB, MIB, 0, 0]);
    memory.end();
    expect(many.every(({ length }) => length === 0)).toBe(true);
  });
});
