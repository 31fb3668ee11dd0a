import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { BytePath } from '../../apps/agent/src/posix/byte-path.js';
import { CLIENT, TestCluster } from '../cluster/cluster.js';
import { filesOf, imagesOf, jobOf } from '../cluster/cluster-cli.js';
import { compareTrees, type Difference } from '../support/compare-trees.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { makeOddTree, mutateOddTree, type OddTree } from '../support/odd-tree.js';

let cluster: TestCluster;
let tree: OddTree;
let restores = 0;

beforeAll(async () => {
  cluster = await TestCluster.start();
  tree = await makeOddTree(cluster.path('tree'));
});
afterAll(() => cluster?.stop());

async function backUp(...args: readonly string[]): Promise<string> {
  const result = await cluster.cli('backup', ...args);
  expect(result).toMatchObject({ exitCode: 0 });
  return jobOf(result).imageId!;
}

/** Restores into a new folder and returns where `path` then is. */
async function restore(path: string, ...args: readonly string[]): Promise<string> {
  const to = cluster.path(`restored-${(restores += 1)}`);
  const result = await cluster.cli('restore', ...args, '--to', to);
  expect(result).toMatchObject({ exitCode: 0 });
  return join(to, path);
}

/** Sockets are in no archive; everything else has to be the same. */
function differences(a: string, b: string): Promise<Difference[]> {
  const ignore = (path: BytePath): boolean => tree.sockets.includes(path);
  return compareTrees(a, b, { ignore });
}

describe('a tree with every odd file', () => {
  let full: string;
  let differential: string;
  let cumulative: string;
  let first: string;
  let second: string;

  it('is restored from a full without a difference', async () => {
    full = await backUp(tree.root);
    first = await restore(tree.root, full);
    expect(await differences(tree.root, first)).toEqual([]);
  });

  it('is restored from a differential as it was then, without what was deleted', async () => {
    await sleep(2_000); // so that there is a whole second between the two
    mutateOddTree(tree);
    differential = await backUp('--type', 'differential', tree.root);
    second = await restore(tree.root, differential);
    expect(await differences(tree.root, second)).toEqual([]);
  });

  it('took less for the differential than for the full, and it says what is gone', async () => {
    const images = imagesOf(await cluster.cli('images'));
    const [newer, older] = images;
    expect(newer).toMatchObject({ imageId: differential, baseImageId: full, kind: 'differential' });
    expect(older).toMatchObject({ imageId: full, kind: 'full', state: 'COMPLETE' });
    expect(newer!.storedBytes).toBeLessThan(older!.storedBytes / 4);
    const path = join(tree.root, 'regular/empty');
    const [gone] = filesOf(await cluster.cli('files', differential, path));
    expect(gone).toMatchObject({ path, type: 'x' });
    const versions = filesOf(await cluster.cli('find', path));
    expect(versions.map(({ imageId, type }) => [imageId, type])).toEqual([
      [differential, 'x'],
      [full, 'f'],
    ]);
  });

  it('is restored by time: between the two backups it is the first state', async () => {
    const [, older] = imagesOf(await cluster.cli('images'));
    const between = new Date(Date.parse(older!.backupTime) + 1_000).toISOString();
    const then = await restore(tree.root, '--client', CLIENT, '--at', between);
    expect(await differences(first, then)).toEqual([]);
    const now = await restore(tree.root, '--client', CLIENT, '--at', 'now');
    expect(await differences(second, now)).toEqual([]);
  });

  it('is restored from a cumulative, which builds on the full alone', async () => {
    rmSync(join(tree.root, 'links'), { recursive: true });
    appendFileSync(join(tree.root, 'regular/text'), 'more\n');
    cumulative = await backUp('--type', 'cumulative', tree.root);
    const [newest] = imagesOf(await cluster.cli('images'));
    expect(newest).toMatchObject({ imageId: cumulative, kind: 'cumulative', baseImageId: full });
    const third = await restore(tree.root, cumulative);
    expect(await differences(tree.root, third)).toEqual([]);
  });

  it('is restored from a differential on the cumulative, a chain of three', async () => {
    mkdirSync(join(tree.root, 'links'));
    writeFileSync(join(tree.root, 'links/back-again'), 'again\n');
    const last = await backUp('--type', 'differential', tree.root);
    const [newest] = imagesOf(await cluster.cli('images'));
    expect(newest).toMatchObject({ imageId: last, baseImageId: cumulative });
    const fourth = await restore(tree.root, last);
    expect(await differences(tree.root, fourth)).toEqual([]);
  });

  it('gives the incremental alone with --only', async () => {
    const alone = await restore(tree.root, differential, '--only');
    expect(readdirSync(join(alone, 'regular'))).toContain('text');
    expect(readdirSync(join(alone, 'regular'))).not.toContain('five-megabytes');
  });
});

describe('an image of many fragments', () => {
  const FRAGMENT_BYTES_MAX = 2 * 2 ** 20;

  it("is written within the unit's limit and restored without a difference", async () => {
    const unit = cluster.path('unit.yaml');
    writeFileSync(
      unit,
      `name: small\nmediaId: media1\npool: main\nfragmentBytesMax: ${FRAGMENT_BYTES_MAX}\n`,
    );
    expect(await cluster.cli('unit', 'put', '-f', unit)).toMatchObject({ exitCode: 0 });
    const source = cluster.path('noise');
    makeNoiseTree(source, { files: 300, bytesEach: 40_000 });
    cpSync(join(tree.root, 'regular'), join(source, 'regular'), { recursive: true });
    const image = await backUp('--storage', 'small', source);

    const folder = join(cluster.images, image, 'c1');
    const data = readdirSync(folder).filter((name) => name.endsWith('.tar.zst'));
    expect(data.length).toBeGreaterThan(8);
    for (const name of data) {
      expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(FRAGMENT_BYTES_MAX);
    }
    const shown = await cluster.cli('images', 'show', '--long', image);
    expect((shown.json as { fragments: unknown[] }).fragments).toHaveLength(data.length);
    expect(await compareTrees(source, await restore(source, image))).toEqual([]);
    const one = join(source, 'folder-0/file-299');
    expect(await compareTrees(one, await restore(one, image, one))).toEqual([]);
  });
});
