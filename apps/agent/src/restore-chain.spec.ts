import { describe, expect, it } from '@jest/globals';

import type { FragmentView } from '#contracts/image.js';
import { imageOf } from './restore-chain.js';

const source = (number: number, copy: number, mediaId: string): FragmentView => ({
  fragmentId: `fragment-${number}-${copy}`,
  imageId: 'web1_1790000000',
  copy,
  number,
  attempt: 1,
  state: 'ACTIVE',
  stateReason: '',
  deletableAt: null,
  mediaId,
  pool: 'disk',
  archiveOffset: (number - 1) * 100,
  archiveBytes: 100,
  storedBytes: 50,
  digest: 'd',
  indexBytes: 10,
  indexDigest: 'i',
  frames: 1,
  committedAt: '2026-09-01T00:00:00.000Z',
});

describe('what is read of an image', () => {
  it('are its fragments from the best copy that can be reached', () => {
    const found = [
      { number: 1, sources: [source(1, 1, 'away'), source(1, 2, 'media2')] },
      { number: 2, sources: [source(2, 1, 'media1'), source(2, 2, 'media2')] },
    ];
    const { fragments, lost } = imageOf('web1_1790000000', found, (id) => id !== 'away');
    expect(lost).toEqual([]);
    expect(
      fragments.map(({ number, sources }) => [number, ...sources.map((s) => s.mediaId)]),
    ).toEqual([
      [1, 'media2', 'away'],
      [2, 'media1', 'media2'],
    ]);
    expect(fragments[1]).toMatchObject({ archiveOffset: 100, storedBytes: 50, indexDigest: 'i' });
  });

  it('lacks the numbers that no copy has', () => {
    const found = [
      { number: 2, sources: [source(2, 1, 'media1')] },
      { number: 3, sources: [] },
      { number: 6, sources: [source(6, 1, 'media1')] },
    ];
    const { fragments, lost } = imageOf('web1_1790000000', found, () => true);
    expect(lost).toEqual([1, 3, 4, 5]);
    expect(fragments.map(({ number }) => number)).toEqual([2, 6]);
  });
});
