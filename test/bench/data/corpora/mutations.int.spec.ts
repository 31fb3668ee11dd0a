import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runCommand } from '../../../../apps/standalone/src/servers/system/command.js';
import { compareTrees } from '../../../support/compare-trees.js';
import { removeFolder, temporaryFolder } from '../../../support/temporary-folder.js';
import { Mutations } from './mutations.js';

const MIB = 2 ** 20;
const A_WHILE_AGO = 1_700_000_000.5;

let folder: string;

beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => removeFolder(folder));

async function copyOf(tree: string, when = 'before'): Promise<string> {
  await runCommand('cp', ['-a', tree, `${tree}.${when}`]);
  return `${tree}.${when}`;
}

function makeSmallFiles(tree: string): void {
  for (let n = 0; n < 400; n += 1) {
    const path = join(tree, `d${n % 5}`, `f${n}`);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, `file ${n}\n`.repeat(n + 1), { mode: 0o640 });
    utimesSync(path, A_WHILE_AGO, A_WHILE_AGO);
  }
  // What is behind a link is no file a second time.
  for (let n = 0; n < 5; n += 1) symlinkSync(`d${n}`, join(tree, `link-${n}`));
  for (let n = 0; n < 5; n += 1) utimesSync(join(tree, `d${n}`), A_WHILE_AGO, A_WHILE_AGO);
}

describe('a folder of small files', () => {
  let tree: string;
  let before: string;
  let mutations: Mutations;

  beforeAll(async () => {
    tree = join(folder, 'small');
    makeSmallFiles(tree);
    before = await copyOf(tree);
    mutations = new Mutations(tree, join(folder, 'aside-small'));
  });

  it('changes in what the plan says and nothing else', async () => {
    mutations.apply('files', 1);
    const differences = await compareTrees(before, tree, { ignoreWhat: ['mtime'] });
    const counts = new Map<string, number>();
    for (const { what } of differences) counts.set(what, (counts.get(what) ?? 0) + 1);
    // Edits: 4. Renamed and deleted: 2 each are missing. Renamed and added: 2 each are new.
    expect(Object.fromEntries(counts)).toEqual({ size: 4, missing: 4, extra: 4 });
  });

  it('changes once more', async () => {
    const first = await copyOf(tree, 'first');
    mutations.apply('files', 2);
    expect(await compareTrees(first, tree)).not.toEqual([]);
  });

  it('is what it was after all of that is undone, times and all', async () => {
    mutations.undo();
    expect(await compareTrees(before, tree)).toEqual([]);
    mutations.undo();
    expect(await compareTrees(before, tree)).toEqual([]);
  });

  it('is what it was also when the change was cut short', async () => {
    const aside = join(folder, 'aside-small');
    mutations.apply('files', 3);
    const { files } = JSON.parse(readFileSync(join(aside, '1/journal.json'), 'utf8'));
    // As if it had ended after the deletions, with the last edit not yet written.
    for (const { path, to } of files.renames) renameSync(join(tree, to), join(tree, path));
    renameSync(join(aside, '1/edit-3'), join(tree, files.edits[3].path));
    new Mutations(tree, aside).undo();
    expect(await compareTrees(before, tree)).toEqual([]);
    expect(existsSync(aside)).toBe(false);
  });
});

describe('a folder of large files', () => {
  it('has other bytes in single regions, and its own again after that is undone', async () => {
    const tree = join(folder, 'large');
    mkdirSync(tree);
    writeFileSync(join(tree, 'a'), Buffer.alloc(3 * MIB + 7, 'a'));
    utimesSync(join(tree, 'a'), A_WHILE_AGO, A_WHILE_AGO);
    const before = await copyOf(tree);
    const mutations = new Mutations(tree, join(folder, 'aside-large'));
    mutations.apply('large', 1);
    const changed = readFileSync(join(tree, 'a'));
    const regions = [0, 1, 2, 3].map((n) => changed.subarray(n * MIB, (n + 1) * MIB));
    const others = regions.filter((region) => region.some((byte) => byte !== 97));
    expect(others).toHaveLength(1);
    expect(new Set(others[0]).size).toBe(256);
    const stats = await compareTrees(before, tree);
    expect(stats.map(({ what }) => what).sort()).toEqual(['content', 'mtime']);
    mutations.undo();
    expect(await compareTrees(before, tree)).toEqual([]);
  });
});
