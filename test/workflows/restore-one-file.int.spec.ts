import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { jobOf } from '../cluster/cluster-cli.js';
import { TestCluster } from '../cluster/cluster.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { bytesRead } from '../cluster/processes.js';
import { compareTrees } from '../support/compare-trees.js';

const MIB = 2 ** 20;
const FILES = 2_000;

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());

describe('one small file out of an image of 200 MB', () => {
  it('is restored without reading the rest', async () => {
    const tree = cluster.path('tree');
    makeNoiseTree(tree, { files: FILES, bytesEach: 100_000 });
    const small = join(tree, 'folder-1/file-1500-small');
    writeFileSync(small, 'a small file\n');
    const backup = jobOf(await cluster.cli('backup', tree));
    expect(backup).toMatchObject({ status: 0 });
    expect(backup.progress.storedBytes).toBeGreaterThan(190 * MIB);

    const to = cluster.path('restored');
    const before = bytesRead(cluster.pid('media'));
    const restore = await cluster.cli('restore', backup.imageId!, small, '--to', to);
    const read = bytesRead(cluster.pid('media')) - before;
    expect(restore).toMatchObject({ exitCode: 0 });
    expect(await compareTrees(small, join(to, small))).toEqual([]);
    console.log(`The media server read ${(read / MIB).toFixed(2)} MiB for it.`);
    expect(read).toBeLessThan(5 * MIB);
  });
});
