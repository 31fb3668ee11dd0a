import { describe, expect, it } from '@jest/globals';
import { choosePolicy, restoreChain, type ChainLink } from './chain.js';
import { imageState, waitsFor } from '../image-state.js';

function image(
  imageId: string,
  baseImageId: string | null,
  changes: Partial<ChainLink> = {},
): ChainLink {
  const kind = baseImageId === null ? 'full' : 'differential';
  return { imageId, baseImageId, kind, state: 'COMPLETE', isDamaged: false, ...changes };
}

const ids = (chain: readonly ChainLink[]) => chain.map(({ imageId }) => imageId);

describe('a restore chain', () => {
  const full = image('w_1', null);
  const images = [image('w_3', 'w_2'), full, image('w_2', 'w_1'), image('w_4', 'w_1')];

  it('goes back through each differential to the full, oldest first', () => {
    expect(ids(restoreChain('w_3', images, false))).toEqual(['w_1', 'w_2', 'w_3']);
  });

  it('is the full and the image for a cumulative', () => {
    expect(ids(restoreChain('w_4', images, false))).toEqual(['w_1', 'w_4']);
  });

  it('is one image where exactly that one is wanted', () => {
    expect(ids(restoreChain('w_3', images, true))).toEqual(['w_3']);
    expect(ids(restoreChain('w_1', images, false))).toEqual(['w_1']);
  });

  it('names what is missing or not complete', () => {
    expect(() => restoreChain('w_9', images, false)).toThrow(
      'There is no image "w_9". "holdfast images" lists them.',
    );
    expect(() => restoreChain('w_4', [image('w_4', 'w_1')], false)).toThrow(
      'Image w_4 builds on w_1, which is not in the catalog. ' +
        'What w_4 itself holds can be restored with "--only" (in a request: "exact").',
    );
    const broken = [image('w_2', 'w_1'), image('w_1', null, { state: 'INCOMPLETE' })];
    expect(() => restoreChain('w_2', broken, false)).toThrow(
      'Image w_2 builds on w_1, which is not complete (INCOMPLETE)',
    );
  });

  it('says how an image comes back that is marked for deletion, and that one is gone', () => {
    const base = (leaving: ChainLink['leaving']) => [
      image('w_2', 'w_1'),
      image('w_1', null, { state: 'INCOMPLETE', leaving }),
    ];
    const until = '2026-01-02T00:00:00.000Z';
    const marked = base({ state: 'TO_BE_DELETED', until });
    const how = `Image w_1 is marked for deletion: it can be taken back until ${until} with: holdfast image undelete w_1`;
    expect(() => restoreChain('w_1', marked, false)).toThrow(new RegExp(`^${how}$`));
    expect(() => restoreChain('w_2', marked, false)).toThrow(`Image w_2 builds on w_1. ${how}`);
    const gone = base({ state: 'DELETED', until: null });
    expect(() => restoreChain('w_1', gone, false)).toThrow('Image w_1 was deleted.');
    const going = base({ state: 'DELETING', until: null });
    expect(() => restoreChain('w_1', going, false)).toThrow('Image w_1 is being deleted');
  });

  it('comes to an end on a ring of bases', () => {
    const ring = [image('w_1', 'w_2'), image('w_2', 'w_1')];
    expect(() => restoreChain('w_1', ring, false)).toThrow('not in the catalog');
  });
});

describe('the policy of a restore by time', () => {
  it('is the only one that has an image', () => {
    expect(choosePolicy(['files'], '2026-01-01T00:00:00Z')).toBe('files');
  });

  it('must be named where several have one', () => {
    expect(() => choosePolicy(['a', 'b'], '2026-01-01T00:00:00Z')).toThrow(
      'Several policies have images of that time: a, b. Name one of them with --policy.',
    );
    expect(() => choosePolicy([], '2026-01-01T00:00:00Z')).toThrow('no complete image');
  });
});

describe('the state of an image', () => {
  it('is counted, and abandoned only where it is not complete', () => {
    const fresh = { complete: false, abandoned: false, wasComplete: false };
    expect(imageState({ ...fresh, complete: true, wasComplete: true })).toBe('COMPLETE');
    expect(imageState(fresh)).toBe('IN_PROCESS');
    expect(imageState({ ...fresh, abandoned: true })).toBe('INCOMPLETE');
    expect(imageState({ ...fresh, wasComplete: true })).toBe('INCOMPLETE');
  });

  it('comes with what it waits for', () => {
    const done = {
      ...{ fragmentsExpected: 3, committed: 3, loaded: 3 },
      ...{ firstMissing: null, indexError: null },
    };
    expect(waitsFor(done)).toBe('');
    expect(waitsFor({ ...done, fragmentsExpected: null })).toBe('the end of the backup');
    expect(waitsFor({ ...done, committed: 1, firstMissing: 2 })).toBe(
      'the commit of fragment 2 of 3 and 1 more',
    );
    expect(waitsFor({ ...done, loaded: 1 })).toBe('the file index of 2 of 3 fragments');
  });
});
