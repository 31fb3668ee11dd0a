import { describe, expect, it } from '@jest/globals';
import { commitOf } from '../testing/commit.js';
import { SmallIndexes } from './small-indexes.js';

const sent = (n: number) =>
  commitOf({ imageId: `web1_${n}`, index: Buffer.from(`index ${n}`).toString('base64') });

describe('an index that came with a commit', () => {
  it('is taken out of it, and given once', () => {
    const indexes = new SmallIndexes();
    const commit = sent(1);
    const { index: _, ...rest } = commit;
    expect(indexes.takeOut(commit)).toEqual(rest);
    expect(indexes.take(commit.fragmentId)?.toString()).toBe('index 1');
    expect(indexes.take(commit.fragmentId)).toBeUndefined();
  });

  it('is forgotten where too many wait, the oldest first', () => {
    const indexes = new SmallIndexes();
    const commits = Array.from({ length: 1_001 }, (_, n) => sent(n));
    for (const commit of commits) indexes.takeOut(commit);
    expect(indexes.take(commits[0]!.fragmentId)).toBeUndefined();
    expect(indexes.take(commits[1]!.fragmentId)?.toString()).toBe('index 1');
  });

  it('is not missed where there is none', () => {
    const commit = commitOf({ imageId: 'web1_1' });
    expect(new SmallIndexes().takeOut(commit)).toEqual(commit);
  });
});
