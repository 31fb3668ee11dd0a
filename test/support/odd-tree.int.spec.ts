import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdtempSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from '@jest/globals';

import { removeXattr, setTimes } from '../../apps/agent/src/posix/posix.js';

import { compareTrees } from './compare-trees.js';
import { makeOddTree, mutateOddTree, removeTree, type OddTree } from './odd-tree.js';

let folder: string;
let tree: OddTree;
let copy: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'odd-tree-'));
  tree = await makeOddTree(join(folder, 'tree'));
  copy = join(folder, 'copy');
  const made = spawnSync('cp', ['-a', '--sparse=always', tree.root, copy], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr.slice(0, 500));
});
afterAll(() => removeTree(folder));

const changesOfCopy = async (): Promise<string[]> =>
  (await compareTrees(tree.root, copy)).map(({ path, what }) => `${what}: ${path}`);

it('makes every kind of odd file that the machine allows', () => {
  if (process.getuid?.() === 0) expect(tree.skipped).toEqual([]);
  const kinds = spawnSync('find', [tree.root, '-printf', '%y\n'], { encoding: 'utf8' }).stdout;
  const expected = process.getuid?.() === 0 ? ['b', 'c', 'd', 'f', 'l', 'p', 's'] : ['d', 'f', 'l'];
  expect([...new Set(kinds.trim().split('\n'))].sort()).toEqual(expect.arrayContaining(expected));
});

it('finds no difference in a faithful copy', async () => {
  expect(await changesOfCopy()).toEqual([]);
});

it('finds each single change', async () => {
  const keep = lstatSync(`${copy}/regular`, { bigint: true });
  const undoTimes = (): void => setTimes(`${copy}/regular`, keep);
  writeFileSync(`${copy}/regular/size-1`, 'x');
  chmodSync(`${copy}/regular/size-511`, 0o600);
  setTimes(`${copy}/regular/size-512`, { atimeNs: 0n, mtimeNs: 5n });
  unlinkSync(`${copy}/regular/empty`);
  renameSync(`${copy}/regular/size-513`, `${copy}/regular/renamed`);
  undoTimes();
  removeXattr(`${copy}/attributes/file`, 'user.text');
  unlinkSync(`${copy}/links/second`);
  spawnSync('cp', ['-a', `${copy}/links/first`, `${copy}/links/second`]);
  setTimes(`${copy}/links`, lstatSync(`${tree.root}/links`, { bigint: true }));
  expect((await changesOfCopy()).sort()).toEqual([
    'content: regular/size-1',
    'extra: regular/renamed',
    'hard links: links/second',
    'missing: regular/empty',
    'missing: regular/size-513',
    'mode: regular/size-511',
    'mtime: regular/size-1',
    'mtime: regular/size-512',
    'xattr user.text: attributes/file',
  ]);
});

it('finds that holes were filled', async () => {
  unlinkSync(`${copy}/sparse/odd-size`);
  spawnSync('cp', ['-a', '--sparse=never', `${tree.root}/sparse/odd-size`, `${copy}/sparse/`]);
  setTimes(`${copy}/sparse`, lstatSync(`${tree.root}/sparse`, { bigint: true }));
  expect(await changesOfCopy()).toContain('allocated bytes: sparse/odd-size');
});

it('is changed in many ways by mutateOddTree', async () => {
  mutateOddTree(tree);
  expect((await changesOfCopy()).length).toBeGreaterThan(40);
});
