import { existsSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { noise } from '../../../../../test/support/odd-tree-maker.js';
import { removeTree } from '../../../../../test/support/odd-tree.js';
import { temporaryFolder } from '../../../../../test/support/temporary-folder.js';

import { rawFrame } from '#archive/frames/raw-frame.js';

import { ChunkedFrames } from './chunked-frames.js';

const MIB = 1024 * 1024;
const NO_LINES = { index: new Uint8Array(0), pending: '' };

let folder: string;
beforeAll(async () => (folder = await temporaryFolder()));
afterAll(() => removeTree(folder));

describe('what is known of cuts', () => {
  it.each([
    ['in the midst of a fragment', 3],
    ['with a full one', 0],
  ])('is kept when the archive ends %s', (name, more) => {
    const knownCutsPath = `${folder}/${name}`;
    const frames = new ChunkedFrames({
      frameBytes: MIB,
      fragmentBytesMax: 12 * MIB,
      nextFragment: 1,
      start: { archiveOffset: 0, entryLeft: 100 * MIB },
      knownCutsPath,
    });
    const put = (n: number) => {
      frames.frame(rawFrame(noise(MIB, n)), NO_LINES);
      return frames.end(MIB);
    };
    let count = 0;
    while (!put(count++)) expect(count).toBeLessThan(20);
    for (let n = 0; n < more; n++) expect(put(count + n)).toBeUndefined();
    expect(existsSync(knownCutsPath)).toBe(false);
    expect(frames.end(0, true) !== undefined).toBe(more > 0);
    expect(existsSync(knownCutsPath)).toBe(true);
  });
});
