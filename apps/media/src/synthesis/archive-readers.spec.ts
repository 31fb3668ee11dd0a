import { describe, expect, it } from '@jest/globals';
import { ArchiveReaders } from './archive-readers.js';
import type { ChainImage } from './chain-image.js';

const IMAGES = 100;

describe('The readers of a long chain', () => {
  it('are few at once, those that were used last', async () => {
    const open = new Set<number>();
    let [opened, most] = [0, 0];
    const readers = new ArchiveReaders((image) => {
      open.add(image);
      opened += 1;
      most = Math.max(most, open.size);
      return { close: async () => void open.delete(image) } as unknown as ChainImage;
    }, 3);
    const base = await readers.of(0);
    for (let image = 1; image < IMAGES; image += 1) {
      await readers.of(image);
      expect(await readers.of(0)).toBe(base);
    }
    expect([opened, most <= 9, open.has(0)]).toEqual([IMAGES, true, true]);
    await readers.close();
    expect(open.size).toBe(0);
  });
});
