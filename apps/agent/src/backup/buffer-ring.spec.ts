import { describe, expect, it } from '@jest/globals';

import { ReaderStopped, RingEmptier, RingFiller, createRing } from './buffer-ring.js';

const SIZE = { buffers: 3, bufferBytes: 100 };

describe('the ring of buffers', () => {
  it('fills the first one that is empty, and makes no more than are needed', () => {
    const ring = createRing(SIZE);
    const [filler, emptier] = [new RingFiller(ring), new RingEmptier(ring)];
    const fill = () => {
      const { slot, made } = filler.take();
      if (made) emptier.adopt(slot, made);
      filler.markFull(slot);
      return { slot, isNew: made !== undefined };
    };
    expect(fill()).toEqual({ slot: 0, isNew: true });
    emptier.release(0);
    expect(fill()).toEqual({ slot: 0, isNew: false });
    expect(fill()).toEqual({ slot: 1, isNew: true });
    expect(fill()).toEqual({ slot: 2, isNew: true });
    // In another order than they were filled in.
    emptier.release(1);
    expect(fill()).toEqual({ slot: 1, isNew: false });
    emptier.release(2);
    emptier.release(0);
    expect(fill()).toEqual({ slot: 0, isNew: false });
    expect(emptier.waitsForEmpty).toBe(0);
  });

  it('ends the side that fills, whatever is empty', () => {
    const ring = createRing(SIZE);
    const [filler, emptier] = [new RingFiller(ring), new RingEmptier(ring)];
    emptier.stop();
    expect(() => filler.take()).toThrow(ReaderStopped);
    expect(() => filler.takeIndexCredit()).toThrow(ReaderStopped);
  });
});
