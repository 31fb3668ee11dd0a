import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { CopyView } from '#contracts/catalog/copy.js';
import type { ExpiryDecision } from '#contracts/catalog/expiry.js';
import type { FragmentView } from '#contracts/image.js';
import { runCommand } from '../../apps/standalone/src/servers/system/command.js';
import { TestCluster } from '../cluster/cluster.js';
import { errorOf, jobOf } from '../cluster/cluster-cli.js';
import { makeNoiseTree } from '../cluster/noise-tree.js';
import { until } from '../support/until.js';
import { compareTrees } from '../support/compare-trees.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';

let cluster: TestCluster;
let vault: string;

/** Two media servers; what is marked for deletion goes within seconds, once it may. */
beforeAll(async () => {
  vault = await temporaryFolder();
  cluster = await TestCluster.start({
    args: ['--media-server', `media2:vault=${vault}`],
    env: {
      // Long enough for a command that takes it back, on a busy machine, too.
      HOLDFAST_DELETE_GRACE: '10s',
      HOLDFAST_GRANT_EVERY: '100ms',
      HOLDFAST_TRASH_GRACE: '1s',
    },
  });
  await cluster.ask('broker.unit-put', {
    unit: { name: 'vault', mediaId: 'media2', pool: 'vault' },
  });
  makeNoiseTree(cluster.path('tree'), { files: 20, bytesEach: 100_000 });
});
afterAll(async () => {
  await cluster?.stop();
  if (vault) await removeFolder(vault);
});

async function backUp(): Promise<string> {
  const result = await cluster.cli('backup', cluster.path('tree'));
  expect(result).toMatchObject({ exitCode: 0 });
  return jobOf(result).imageId!;
}

async function copiesOf(imageId: string): Promise<string[]> {
  const { copies } = await cluster.ask<{ copies: CopyView[] }>('catalog.copies', { imageId });
  return copies.map(({ copy, state }) => `${copy} ${state}`);
}

async function expire(imageId: string, ...args: readonly string[]): Promise<ExpiryDecision[]> {
  const result = await cluster.cli('image', 'expire', imageId, ...args);
  expect(result).toMatchObject({ exitCode: 0 });
  return (result.json as { decisions: ExpiryDecision[] }).decisions;
}

async function fragmentsOf(imageId: string, copy: number): Promise<FragmentView[]> {
  const page = { imageId, copy, all: true };
  return (await cluster.ask<{ fragments: FragmentView[] }>('catalog.fragments', page)).fragments;
}

/** The files of these fragments, wherever a media server has them: in the trash, too. */
async function filesOf(fragments: readonly FragmentView[]): Promise<string[]> {
  const ids = fragments.map(({ fragmentId }) => fragmentId);
  // Folders may go while they are looked through: what find says of those is no matter.
  const { stdout } = await runCommand('find', [cluster.dataFolder, vault, '-type', 'f'], {});
  return stdout.split('\n').filter((path) => ids.some((id) => path.includes(id)));
}

describe('an image on two media servers', () => {
  it('loses the copy that is expired, to the last byte, and is restored from the other', async () => {
    const imageId = await backUp();
    const duplicated = await cluster.cli('image', 'duplicate', imageId, '--to', 'vault');
    expect(jobOf(duplicated)).toMatchObject({ status: 0, message: '' });
    expect(await copiesOf(imageId)).toEqual(['1 COMPLETE', '2 COMPLETE']);
    const [first, second] = [await fragmentsOf(imageId, 1), await fragmentsOf(imageId, 2)];
    const kept = await filesOf(second);
    expect(await filesOf(first)).toHaveLength(kept.length);

    const [preview] = await expire(imageId, '--copy', '1', '--dry-run');
    expect(preview).toMatchObject({ decision: 'delete', reasons: ['another good copy remains'] });
    expect(await copiesOf(imageId)).toEqual(['1 COMPLETE', '2 COMPLETE']);
    await expire(imageId, '--copy', '1');
    expect((await copiesOf(imageId))[0]).toBe('1 TO_BE_DELETED');
    const [last] = await expire(imageId, '--copy', '2');
    expect(last).toMatchObject({ decision: 'keep' });
    expect(last!.reasons.join()).toMatch(/last good copy/);

    await until(async () => (await copiesOf(imageId))[0] === '1 DELETED', {
      what: 'the first copy to be deleted',
    });
    await until(async () => (await filesOf(first)).length === 0, {
      what: 'the trash to be emptied',
    });
    expect(await filesOf(second)).toEqual(kept);
    const to = cluster.path('restored');
    const restored = await cluster.cli('restore', imageId, '--to', to);
    expect(restored).toMatchObject({ exitCode: 0 });
    const tree = cluster.path('tree');
    expect(await compareTrees(tree, `${to}${tree}`)).toEqual([]);
  });

  it('is kept by a hold and taken back in time, and its rows outlive its bytes', async () => {
    const imageId = await backUp();
    await cluster.cli('image', 'hold', imageId, 'lawsuit', '--reason', 'case 17');
    const [held] = await expire(imageId, '--now');
    const reasons = ['on hold: lawsuit', expect.stringContaining('so it still expires')];
    expect(held).toMatchObject({ decision: 'keep', reasons });
    await cluster.cli('image', 'hold', imageId, 'lawsuit', '--release');
    await expire(imageId, '--now');
    expect(await copiesOf(imageId)).toEqual(['1 TO_BE_DELETED']);
    const back = await cluster.cli('image', 'undelete', imageId);
    expect(back).toMatchObject({ exitCode: 0 });
    expect(await copiesOf(imageId)).toEqual(['1 COMPLETE']);

    await expire(imageId, '--now');
    await until(async () => (await copiesOf(imageId)).join() === '1 DELETED', {
      what: 'the image to be deleted',
    });
    const fragments = await fragmentsOf(imageId, 1);
    await until(async () => (await filesOf(fragments)).length === 0, {
      what: 'the trash to be emptied',
    });
    const late = await cluster.cli('image', 'undelete', imageId);
    expect(errorOf(late)).toMatchObject({ status: 227 });
    expect(fragments.map(({ state }) => state)).toEqual(['DELETED']);
    const restore = await cluster.cli('restore', imageId, '--to', cluster.path('none'));
    expect(jobOf(restore)).toMatchObject({ status: 229 });
  });
});
