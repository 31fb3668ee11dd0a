import { mkdirSync, symlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ByteString } from '#archive/path-text.js';
import { removeFolder, temporaryFolder } from '../../../test/support/temporary-folder.js';
import { excludeTest } from './domain/excludes.js';
import { leftOut } from './left-out.js';

let base: string;
beforeAll(async () => {
  base = await temporaryFolder();
  mkdirSync(`${base}/disk/data [1]`, { recursive: true });
  symlinkSync('disk', `${base}/link`);
});
afterAll(() => removeFolder(base));

describe('A folder that no backup holds', () => {
  const isLeftOut = (folder: string, path: string) =>
    excludeTest(leftOut([folder]))(path as ByteString, path.split('/').at(-1) as ByteString, true);

  it('is left out on every path, whatever characters it holds', () => {
    for (const named of [`${base}/link/data [1]`, `${base}/disk/data [1]/`]) {
      expect(isLeftOut(named, `${base}/disk/data [1]`)).toBe(true);
      expect(isLeftOut(named, `${base}/disk/data 1`)).toBe(false);
      expect(isLeftOut(named, `${base}/disk`)).toBe(false);
    }
    expect(isLeftOut(`${base}/link/data [1]`, `${base}/link/data [1]`)).toBe(true);
  });

  it('is left out before it is there', () => {
    expect(isLeftOut(`${base}/link/new/main`, `${base}/disk/new/main`)).toBe(true);
    expect(isLeftOut(`${base}/link/new/main`, `${base}/disk/new`)).toBe(false);
  });
});
