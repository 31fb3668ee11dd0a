import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';
import type { FragmentWriter } from '#storage/fragment-store.js';
import { FragmentUnreadable } from '#storage/errors.js';
import { manifestOf, fragmentName } from '#storage/testing/fragments.js';
import type { FragmentSource } from './fragment-source.js';
import { copyWhole } from './optimized-copy.js';

const MIB = 2 ** 20;

/** Of data that cannot be read behind their second mebibyte. */
function failingSource(): Pick<FragmentSource, 'manifest' | 'read'> {
  const data = Buffer.alloc(4 * MIB);
  return {
    manifest: manifestOf(fragmentName(1), { data, index: Buffer.from('index') }),
    async *read() {
      for (let at = 0; at < 2; at += 1) yield Buffer.alloc(MIB);
      throw new FragmentUnreadable('1', 'ends early');
    },
  };
}

describe('an optimized duplication whose source cannot be read to its end', () => {
  it('ends when nothing is being written any more, so that its writer can be let go of', async () => {
    let writing = 0;
    const writer = {
      async writeData() {
        writing += 1;
        await sleep(50);
        writing -= 1;
      },
    } as Partial<FragmentWriter> as FragmentWriter;
    const copy = copyWhole(failingSource() as FragmentSource, writer, () => undefined);
    await expect(copy).rejects.toThrow(/ends early/);
    expect(writing).toBe(0);
  });
});
