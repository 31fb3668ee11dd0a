import { describe, expect, it } from '@jest/globals';

import { FragmentProgress } from './fragment-progress.js';

const line = (text: string) => Buffer.from(`${text}\n`);

describe('how far a fragment has come', () => {
  it('ends with the entry that lies across its end, whose final line does not follow', () => {
    const progress = new FragmentProgress(1_000, 1_000_000, 1);
    expect(progress.frame(1_000, line('one'), 'two, so far\n')).toEqual(line('one'));
    expect(progress.cut()).toEqual(line('two, so far'));
    // It goes through a whole further fragment.
    expect(progress.frame(1_000, Buffer.alloc(0), 'two, so far\n')).toHaveLength(0);
    expect(progress.cut()).toHaveLength(0);
    const lines = Buffer.concat([line('two, changed'), line('three')]);
    expect(progress.lines(lines)).toEqual(line('three'));
    expect(progress.frame(1_000, line('four'), '')).toEqual(line('four'));
    expect(progress.cut()).toHaveLength(0);
  });

  it.each([
    ['frames', { bytesMax: 3_000, text: 0 }, 2],
    ['index lines', { bytesMax: 2 ** 30, text: 2 ** 20 }, 4],
  ])('is full of %s, and empty again behind its end', (_, { bytesMax, text }, frames) => {
    const progress = new FragmentProgress(1_000, bytesMax, 1);
    for (let fragment = 0; fragment < 2; fragment++) {
      for (let n = 1; n <= frames; n++) {
        expect(progress.isFull).toBe(false);
        progress.frame(1_000, Buffer.alloc(text), '');
        expect(progress.frames).toBe(n);
      }
      expect(progress.isFull).toBe(true);
      progress.cut();
    }
    expect(progress.frames).toBe(0);
  });

  it('takes more behind fragment 50,000 of the image, so that its numbers last', () => {
    const progress = new FragmentProgress(1_000, 10_000, 50_000);
    const framesOf = () => {
      while (!progress.isFull) progress.frame(1_000, Buffer.alloc(0), '');
      const { frames } = progress;
      progress.cut();
      return frames;
    };
    const [last, next] = [framesOf(), framesOf()];
    expect(next).toBeGreaterThan(2 * last);
    expect(framesOf()).toBe(next);
  });

  it('does not count the line that is left out', () => {
    const progress = new FragmentProgress(1_000, 2 ** 30, 1);
    progress.frame(1_000, Buffer.alloc(0), 'large\n');
    progress.cut();
    progress.frame(1_000, Buffer.concat([Buffer.alloc(2 ** 22, 'x'), line('')]), '');
    expect(progress.isFull).toBe(false);
  });
});
