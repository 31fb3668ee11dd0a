import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { runCommand } from '../../apps/standalone/src/servers/system/command.js';
import { filesOf, jobOf } from '../cluster/cluster-cli.js';
import { TestCluster } from '../cluster/cluster.js';
import { zstdCommand } from '../cluster/zstd-command.js';
import { compareTrees } from '../support/compare-trees.js';
import { makeOddTree, type OddTree } from '../support/odd-tree.js';

let cluster: TestCluster;
let tree: OddTree;
let copy: string;
let imageId: string;
let zstd: string;

beforeAll(async () => {
  zstd = await zstdCommand();
  cluster = await TestCluster.start();
  tree = await makeOddTree(cluster.path('tree'));
  const unit = cluster.path('unit.json');
  const small = { name: 'small', mediaId: 'media1', pool: 'main', fragmentBytesMax: 2 * 2 ** 20 };
  writeFileSync(unit, JSON.stringify(small));
  expect(await cluster.cli('unit', 'put', '-f', unit)).toMatchObject({ exitCode: 0 });
  const backup = await cluster.cli('backup', '--storage', 'small', tree.root);
  imageId = jobOf(backup).imageId!;
  copy = join(cluster.images, imageId, 'c1');
});
afterAll(() => cluster?.stop());

/** Runs a shell script on the copy's files, with the tools of the machine and nothing of ours. */
async function shell(script: string): Promise<string> {
  const env = { PATH: process.env['PATH'], LC_ALL: 'C', ZSTD: zstd };
  const result = await runCommand('sh', ['-ec', script], { cwd: copy, env });
  expect(result).toMatchObject({ code: 0 });
  return result.stdout;
}

describe('the files of an image', () => {
  it('are several fragments', async () => {
    expect(Number(await shell('ls *.tar.zst | wc -l'))).toBeGreaterThan(1);
  });

  it('give the whole tree to cat, zstd and GNU tar', async () => {
    const to = cluster.path('unpacked');
    mkdirSync(to);
    const asRoot = process.getuid?.() === 0;
    const options = [
      '--sparse --acls --numeric-owner -p',
      "--xattrs --xattrs-include='*'",
      asRoot ? '--same-owner' : '',
    ].join(' ');
    await shell(`cat *.tar.zst | "$ZSTD" -d | tar -x -C '${to}' ${options}`);
    const ignore = (path: string): boolean => tree.sockets.includes(path);
    expect(await compareTrees(tree.root, join(to, tree.root), { ignore })).toEqual([]);
  });

  it('are archives that GNU tar has nothing to say about', async () => {
    expect(await shell('cat *.tar.zst | "$ZSTD" -d | tar -t 2>&1 >/dev/null')).toBe('');
  });

  it('have an index that zstd and cut can read, and it is what the catalog holds', async () => {
    const lines = (await shell('"$ZSTD" -dc *.idx.zst | cut -f1,2')).trimEnd().split('\n');
    const files = filesOf(await cluster.cli('files', imageId));
    expect(files.length).toBeGreaterThan(3_000);
    expect([...lines].sort()).toEqual(
      files.map(({ type, path }) => `${type}\t${path.slice(1)}`).sort(),
    );
    const root = tree.root.slice(1);
    expect(lines).toContain(`d\t${root}`);
    expect(lines).toContain(`f\t${root}/names/new\\x0aline`);
  });
});
