import { execFile, execFileSync } from 'node:child_process';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { within } from '#service/within.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { until } from '../../../../test/support/until.js';
import { checkFragment } from '../inventory/fragment-check.js';
import { FragmentChecks } from '../inventory/fragment-checks.js';
import { inventoryPage, manifestsPage } from '../inventory/inventory.js';
import { MemoryCatalog } from '../testing/memory-catalog.js';
import { MemorySources } from '../testing/memory-sources.js';
import { TestMediaServer } from '../testing/media-server.js';
import { sampleBackup, sendBackup } from '../testing/sample-backup.js';

const SHAPE = { fragments: 6, framesEach: 1, frameBytes: 9_000 };
/** More than one look, and much less than for ever. */
const SOON_MS = 20_000;
const HANGS = {
  status: 83,
  message: expect.stringMatching(/vault of pool "vault" has not answered for 3 s$/),
};

describe('A volume that hangs', () => {
  let folder: TestFolder;
  let catalog: MemoryCatalog;
  let media: TestMediaServer;
  let letAnswer: () => Promise<void>;
  beforeEach(async () => {
    folder = testFolder();
    catalog = new MemoryCatalog();
    const more = [{ path: join(folder.path, 'vault'), pool: 'vault' }];
    media = await TestMediaServer.start({ folder: join(folder.path, 'disk'), more, catalog });
    await sendBackup((await media.write()).writer, await sampleBackup(SHAPE));
    const sources = new MemorySources();
    sources.add(catalog.committed.values());
    await media.duplicate(sources, { pool: 'vault' }).run();
    letAnswer = hang();
  });
  afterEach(async () => {
    await letAnswer();
    await media.stop();
    folder.dispose();
  });

  /** Whoever reads the identity of the vault takes a thread of this process from now on. */
  const hang = () => {
    const identity = join(folder.path, 'vault/volume.json');
    renameSync(identity, `${identity}.away`);
    execFileSync('mkfifo', [identity]);
    let answers: Promise<unknown> | undefined;
    const answer = async () => {
      renameSync(identity, `${identity}.fifo`);
      renameSync(`${identity}.away`, identity);
      // Not by a thread of this process: there may be none left. Nobody may wait for it either.
      const script = 'cat "$0" > "$0.fifo"';
      await promisify(execFile)('timeout', ['2', 'sh', '-c', script, identity]).catch(
        () => undefined,
      );
    };
    return async () => void (await (answers ??= answer()));
  };
  const answersAgain = async () => {
    await letAnswer();
    await until(() => media.volumes.there(), { is: (there) => there.length === 2 });
  };
  const volumes = () => {
    const [disk, vault] = [...media.volumes];
    return { disk: disk!, vault: vault! };
  };
  const idsOf = (copy: number) =>
    [...catalog.committed.values()]
      .filter((one) => one.copy === copy)
      .map(({ fragmentId }) => fragmentId);
  const soon = async <T>(work: Promise<T>): Promise<T> => {
    const found = await within(
      SOON_MS,
      work.then((value) => ({ value })),
    );
    if (!found) throw new Error('it takes for ever');
    return found.value;
  };

  it('takes one thread, however often it is asked for, and backups to others go on', async () => {
    const { disk } = volumes();
    for (let times = 0; times < 6; times += 1) {
      expect(await soon(media.volumes.there())).toEqual([disk.volumeId]);
      await expect(soon(media.volumes.roomiest('vault'))).rejects.toMatchObject(HANGS);
    }
    const { writer } = await soon(
      media.write({ imageId: 'web1_1790000001', backupTime: 1_790_000_001 }),
    );
    await soon(sampleBackup(SHAPE).then((backup) => sendBackup(writer, backup)));
    expect(disk.ledger.size).toBe(12);
    await answersAgain();
  });

  it('is named by comparisons and checks of what lies there, and by no others', async () => {
    const { disk } = volumes();
    const holdings = await soon(media.holdings());
    const pages = Array.from({ length: 6 }, () =>
      inventoryPage(holdings, { after: '', limit: 500 }),
    );
    for (const page of pages) await expect(soon(page)).rejects.toMatchObject(HANGS);
    const manifests = manifestsPage(holdings, { after: '', limit: 20 });
    await expect(soon(manifests)).rejects.toMatchObject(HANGS);
    for (const id of idsOf(2)) {
      await expect(soon(checkFragment(holdings.find(id)!))).rejects.toMatchObject(HANGS);
    }
    const care = await media.care();
    await expect(soon(care.takeBack(idsOf(2)))).rejects.toMatchObject(HANGS);
    for (const id of idsOf(1)) {
      expect(await soon(checkFragment(holdings.find(id)!))).toMatchObject({ bytes: 'whole' });
    }
    expect(disk.ledger.size).toBe(6);
  });

  it('holds up no check of another one', async () => {
    const holdings = await media.holdings();
    const check = async (holding: Parameters<typeof checkFragment>[0]) => {
      if (holding.volume === volumes().vault) await new Promise(() => undefined);
      return checkFragment(holding);
    };
    const checks = new FragmentChecks({ check, answerMs: 50 });
    for (const id of idsOf(2)) expect(await checks.look(holdings.find(id)!)).toBeUndefined();
    const patient = idsOf(1).map((id) => checks.look(holdings.find(id)!));
    expect(await soon(Promise.all(patient))).toMatchObject([
      { bytes: 'whole' },
      {},
      {},
      {},
      {},
      {},
    ]);
  });

  it('holds up no deletion from another one, and its own are done when it answers', async () => {
    const { disk, vault } = volumes();
    const grants = [...idsOf(2), ...idsOf(1)].map((id) => catalog.grant(id));
    await soon(media.removals.onGrants(grants));
    for (const id of idsOf(1)) expect(disk.ledger.find(id)).toMatchObject({ phase: 'REMOVED' });
    for (const id of idsOf(2)) expect(vault.ledger.find(id)).toMatchObject({ phase: 'JUDGED' });
    expect(catalog.deleted).toEqual(idsOf(1));
    await soon(media.settleRemovals());
    expect(catalog.claimed).toBe(6);
    await answersAgain();
    await soon(media.settleRemovals());
    for (const id of idsOf(2)) expect(vault.ledger.find(id)).toMatchObject({ phase: 'REMOVED' });
    expect(catalog.deleted).toEqual([...idsOf(1), ...idsOf(2)]);
    await media.settleRemovals();
    expect(catalog.claimed).toBe(12);
  });

  it('in the midst of a removal keeps that of no other, nor an adoption there', async () => {
    const { disk, vault } = volumes();
    void media.removals.alone(vault, () => new Promise(() => undefined));
    const [first, second] = idsOf(1) as [string, string];
    await soon(media.removals.onGrant(catalog.grant(first)));
    expect(disk.ledger.find(first)).toMatchObject({ phase: 'REMOVED', reported: true });
    const care = await media.care();
    expect(await soon(care.takeBack([first]))).toBe(1);
    await soon(media.removals.settle(disk));
    expect(disk.ledger.find(second)).toMatchObject({ phase: 'JUDGED', verdict: 'COMMITTED' });
  });

  it('in the midst of a removal is given no more grants until those of before are through', async () => {
    await answersAgain();
    const { disk, vault } = volumes();
    let goOn: (value?: unknown) => void = () => undefined;
    void media.removals.alone(vault, () => new Promise((resolve) => (goOn = resolve)));
    const [other] = idsOf(1) as [string];
    const [first, second] = idsOf(2) as [string, string];
    const before = media.removals.onGrants([catalog.grant(first)]);
    const again = [first, second, other].map((id) => catalog.grant(id));
    await expect(soon(media.removals.onGrants(again))).rejects.toMatchObject({ status: 83 });
    expect(disk.ledger.find(other)).toMatchObject({ phase: 'REMOVED', reported: true });
    goOn();
    await soon(before);
    expect(vault.ledger.find(first)).toMatchObject({ phase: 'REMOVED' });
    expect(vault.ledger.find(second)).toMatchObject({ phase: 'JUDGED' });
    await soon(media.removals.onGrants(again));
    expect(vault.ledger.find(second)).toMatchObject({ phase: 'REMOVED' });
  });
});
