import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { runCommand } from '../../apps/standalone/src/servers/system/command.js';
import { jobOf } from '../cluster/cluster-cli.js';
import { TestCluster } from '../cluster/cluster.js';
import { peakResidentMib } from '../cluster/processes.js';
import { compareTrees } from '../support/compare-trees.js';

const SMALL_FILES = 100_000;
const FILES_PER_FOLDER = 500;
const LARGE = '4G';
const LARGE_BYTES = 4 * 2 ** 30;
const RESIDENT_MIB_MAX = 300;

let cluster: TestCluster;
let tree: string;

beforeAll(async () => {
  cluster = await TestCluster.start();
  tree = cluster.path('tree');
  mkdirSync(join(tree, 'small'), { recursive: true });
  // Room is set aside for it, so it is no sparse file: all of its 4 GiB are read.
  const made = await runCommand('fallocate', ['-l', LARGE, join(tree, 'large')]);
  expect(made).toMatchObject({ code: 0 });
  for (let i = 0; i < SMALL_FILES; i++) {
    const folder = join(tree, 'small', String(Math.floor(i / FILES_PER_FOLDER)));
    if (i % FILES_PER_FOLDER === 0) mkdirSync(folder);
    const fd = openSync(join(folder, `file-${i}.txt`), 'w');
    writeSync(fd, `This is file ${i}.\n`);
    closeSync(fd);
  }
}, 600_000);
afterAll(() => cluster?.stop(), 900_000);

describe('100,000 small files and one of 4 GB', () => {
  // Without it a restore holds 60 MiB more, which the bound below would not show.
  it.each(['agent', 'media'] as const)('can give back what native libraries made: %s', (name) => {
    const flags = readFileSync(`/proc/${cluster.pid(name)}/cmdline`, 'utf8').split('\0');
    const isBuiltIn = 'transfer' in ArrayBuffer.prototype;
    expect(isBuiltIn || flags.includes('--harmony-rab-gsab-transfer')).toBe(true);
  });

  it('are backed up and restored within 300 MB of memory in agent and in media server', async () => {
    const peaks: Record<string, number> = {};
    const measure = (what: string) => {
      for (const name of ['agent', 'media'] as const) {
        peaks[`${name}, ${what}`] = Math.round(peakResidentMib(cluster.pid(name)));
      }
    };
    const backup = jobOf(await cluster.cli('backup', tree));
    expect(backup).toMatchObject({ status: 0 });
    expect(backup.progress.files).toBeGreaterThan(SMALL_FILES);
    expect(backup.progress.bytes).toBeGreaterThan(LARGE_BYTES);
    measure('backup');

    const to = cluster.path('restored');
    const restore = jobOf(await cluster.cli('restore', backup.imageId!, '--to', to));
    expect(restore).toMatchObject({ status: 0 });
    measure('restore');
    console.log(
      `Backup in ${secondsOf(backup)} s, restore in ${secondsOf(restore)} s; peaks in MiB:`,
      peaks,
    );
    expect(Math.max(...Object.values(peaks))).toBeLessThan(RESIDENT_MIB_MAX);
    expect(statSync(join(to, tree, 'large')).size).toBe(LARGE_BYTES);
    expect(await compareTrees(join(tree, 'small'), join(to, tree, 'small'))).toEqual([]);
  }, 900_000);
});

function secondsOf({ startedAt, endedAt }: { startedAt: string | null; endedAt: string | null }) {
  return ((Date.parse(endedAt!) - Date.parse(startedAt!)) / 1_000).toFixed(1);
}
