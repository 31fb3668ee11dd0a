import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TrashedFragment } from '#storage/fragment-store.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import type { CrashPointName } from '../crash-point.js';
import { MemoryCatalog } from '../testing/memory-catalog.js';
import { TestMediaServer } from '../testing/media-server.js';
import { sampleBackup, sendBackup } from '../testing/sample-backup.js';

describe('The removal of a fragment', () => {
  let folder: TestFolder;
  let catalog: MemoryCatalog;
  let media: TestMediaServer;
  let fragmentIds: string[];
  beforeEach(async () => {
    folder = testFolder();
    catalog = new MemoryCatalog();
    media = await TestMediaServer.start({ folder: folder.path, catalog });
    const { writer } = await media.write();
    await sendBackup(
      writer,
      await sampleBackup({ fragments: 2, framesEach: 1, frameBytes: 9_000 }),
    );
    fragmentIds = [...catalog.committed.keys()];
  });
  afterEach(async () => {
    await media.stop();
    folder.dispose();
  });

  const restart = async () => {
    await media.stop();
    media = await TestMediaServer.start({ folder: folder.path, catalog });
  };
  const files = (number: number) =>
    readdirSync(join(folder.path, 'images/web1_1790000000/c1')).filter((name) =>
      name.startsWith(`0000${number}-`),
    );
  const trash = async () => {
    const found: TrashedFragment[] = [];
    for (const { store } of media.volumes) {
      for await (const one of store.trash()) found.push(one);
    }
    return found;
  };
  const stateOf = (fragmentId: string) =>
    media.volumes.volumeOf(fragmentId)!.ledger.find(fragmentId);

  it('follows a grant that the catalog confirms, and is reported once', async () => {
    const [first, second] = fragmentIds;
    const grant = catalog.grant(first!);
    await media.removals.onGrant(grant);
    expect(stateOf(first!)).toMatchObject({ phase: 'REMOVED', reported: true });
    expect(catalog.deleted).toEqual([first]);
    expect(files(1)).toEqual([]);
    expect(files(2)).toHaveLength(3);
    expect(await trash()).toMatchObject([{ tombstoneId: grant.tombstoneId, fragmentId: first }]);
    expect(stateOf(second!)).toMatchObject({ phase: 'JUDGED', verdict: 'COMMITTED' });
  });

  it('is told to the log once for all fragments of a copy', async () => {
    for (const fragmentId of fragmentIds) await media.removals.onGrant(catalog.grant(fragmentId));
    await media.settleRemovals();
    await media.settleRemovals();
    expect(media.removalLog).toEqual([
      'info: Deleted 2 fragments of copy 1 of image web1_1790000000, as the catalog granted.',
    ]);
  });

  it('is reported again, and nothing else, when the grant comes again', async () => {
    const grant = catalog.grant(fragmentIds[0]!);
    await media.removals.onGrant(grant);
    await restart();
    await media.removals.onGrant(grant);
    expect(catalog.claimed).toBe(1);
    expect(catalog.deleted).toEqual([fragmentIds[0], fragmentIds[0]]);
  });

  it('does not happen while the catalog cannot be asked', async () => {
    const grant = catalog.grant(fragmentIds[0]!);
    catalog.deletionsDown = true;
    await expect(media.removals.onGrant(grant)).rejects.toThrow('no catalog');
    expect(stateOf(fragmentIds[0]!)).toMatchObject({ phase: 'JUDGED' });
    expect(files(1)).toHaveLength(3);
    catalog.deletionsDown = false;
    await media.removals.onGrant(grant);
    expect(files(1)).toEqual([]);
  });

  it('does not happen when the catalog does not stand by the grant', async () => {
    const grant = catalog.grant(fragmentIds[0]!);
    catalog.granted.clear();
    await media.removals.onGrant(grant);
    expect(stateOf(fragmentIds[0]!)).toMatchObject({ phase: 'JUDGED', verdict: 'COMMITTED' });
    expect(files(1)).toHaveLength(3);
    expect(media.removalLog).toEqual([expect.stringMatching(/^warning: .*not confirm.*stays/)]);
  });

  it.each([
    ['another digest', { digest: 'f'.repeat(64) }],
    ['another size', { storedBytes: 1 }],
    ['an unknown fragment', { fragmentId: '01920000-0000-7000-8000-0000000000ff' }],
  ])('does not happen, and nobody is asked, for %s', async (_, over) => {
    await media.removals.onGrant(catalog.grant(fragmentIds[0]!, over));
    expect(catalog.claimed).toBe(0);
    expect(files(1)).toHaveLength(3);
    expect(media.removalLog).toEqual([expect.stringMatching(/^error: .*refused/)]);
  });

  it('is reported after a restart when the report had no answer', async () => {
    catalog.reportsDown = true;
    await expect(media.removals.onGrant(catalog.grant(fragmentIds[0]!))).rejects.toThrow();
    expect(stateOf(fragmentIds[0]!)).toMatchObject({ phase: 'REMOVED', reported: false });
    await restart();
    expect(media.removals.open).toBe(1);
    catalog.reportsDown = false;
    await media.settleRemovals();
    expect(catalog.deleted).toEqual([fragmentIds[0]]);
    expect(media.removals.open).toBe(0);
  });

  it('is claimed again after a restart between the journal and the move', async () => {
    const [first] = fragmentIds;
    const { tombstoneId } = catalog.grant(first!);
    await media.volumes.volumeOf(first!)!.ledger.condemned(first!, tombstoneId);
    await restart();
    catalog.deletionsDown = true;
    await expect(media.settleRemovals()).rejects.toThrow();
    expect(files(1)).toHaveLength(3);
    catalog.deletionsDown = false;
    await media.settleRemovals();
    expect(files(1)).toEqual([]);
    expect(catalog.deleted).toEqual([first]);
  });

  it('is taken back when the catalog went back in time after it was condemned', async () => {
    const [first] = fragmentIds;
    const { tombstoneId } = catalog.grant(first!);
    catalog.granted.clear();
    await media.volumes.volumeOf(first!)!.ledger.condemned(first!, tombstoneId);
    await restart();
    await media.settleRemovals();
    expect(await media.offers.verdict(first!)).toBe('COMMITTED');
    expect(files(1)).toHaveLength(3);
    expect(media.removals.open).toBe(0);
  });

  it('is final only after the grace period, and only once the catalog knows', async () => {
    const [first, second] = fragmentIds;
    await media.removals.onGrant(catalog.grant(first!));
    catalog.reportsDown = true;
    await expect(media.removals.onGrant(catalog.grant(second!))).rejects.toThrow();
    const later = (ms: number) => ({ graceMs: 60_000, now: new Date(Date.now() + ms) });
    expect(await media.emptyOldTrash(later(0))).toBe(0);
    expect(await media.emptyOldTrash(later(61_000))).toBe(1);
    expect((await trash()).map(({ fragmentId }) => fragmentId)).toEqual([second]);
  });

  it('is forgotten when the trash has given it up, and by the next start where a crash came first', async () => {
    const [first, second] = fragmentIds;
    for (const fragmentId of fragmentIds) await media.removals.onGrant(catalog.grant(fragmentId));
    const holdings = await media.holdings();
    expect(await holdings.page('', 9)).toHaveLength(2);
    const late = { graceMs: 60_000, now: new Date(Date.now() + 61_000) };
    expect(await media.emptyOldTrash(late)).toBe(2);
    expect(await holdings.page('', 9)).toEqual([]);
    await restart();
    for (const fragmentId of [first!, second!]) {
      expect(media.volumes.volumeOf(fragmentId)).toBeUndefined();
    }
    // A grant that comes once more touches nothing, and does no harm.
    await media.removals.onGrant(catalog.grant(first!));
    expect(media.volumes.volumeOf(first!)).toBeUndefined();
  });

  it('is of no account any more once the fragment was put back and taken in', async () => {
    const [first] = fragmentIds as [string];
    cpSync(join(folder.path, 'images'), join(folder.path, 'copy'), { recursive: true });
    await media.removals.onGrant(catalog.grant(first));
    const late = { graceMs: 60_000, now: new Date(Date.now() + 61_000) };
    expect(await media.emptyOldTrash(late)).toBe(1);
    await media.stop();
    cpSync(join(folder.path, 'copy'), join(folder.path, 'images'), { recursive: true });
    media = await TestMediaServer.start({ folder: folder.path, catalog });
    expect(await (await media.care()).adopt([first])).toBe(1);
    expect(await media.offers.verdict(first)).toBe('COMMITTED');
    await restart();
    expect(stateOf(first)).toMatchObject({ phase: 'JUDGED', verdict: 'COMMITTED' });
    // Deleted once more, it goes for good, by the later tombstone.
    const tombstoneId = '01920000-0000-7000-8000-0000000000bb';
    await media.removals.onGrant(catalog.grant(first, { tombstoneId }));
    await restart();
    expect(await trash()).toMatchObject([{ tombstoneId, fragmentId: first }]);
    expect(await media.emptyOldTrash(late)).toBe(1);
    expect(await trash()).toEqual([]);
  });

  it.each<[when: string, after: CrashPointName | undefined]>([
    ['the grant comes', undefined],
    ['it is removed', 'condemned-journalled'],
  ])(
    'does not count where the volume was unmounted when %s, and is done when it is back',
    async (_, after) => {
      const [first] = fragmentIds;
      const away = `${folder.path}.away`;
      await media.stop();
      const crashPoint = (reached: CrashPointName) => {
        if (reached === after) renameSync(folder.path, away);
      };
      media = await TestMediaServer.start({ folder: folder.path, catalog, crashPoint });
      if (!after) renameSync(folder.path, away);
      await expect(media.removals.onGrant(catalog.grant(first!))).rejects.toMatchObject({
        status: 83,
      });
      expect(stateOf(first!)).toMatchObject({ phase: after ? 'CONDEMNED' : 'JUDGED' });
      // Nor is it an error of each round that it is away.
      await media.settleRemovals();
      expect(catalog.deleted).toEqual([]);
      renameSync(away, folder.path);
      after = undefined;
      expect(files(1)).toHaveLength(3);
      await media.removals.onGrant(catalog.grant(first!));
      await media.settleRemovals();
      expect(files(1)).toEqual([]);
      expect(catalog.deleted).toEqual([first]);
    },
  );

  it('stays in the trash while the catalog does not stand by it', async () => {
    const [first] = fragmentIds;
    catalog.forgotten.add(first!);
    await media.removals.onGrant(catalog.grant(first!));
    const late = { graceMs: 0, now: new Date(Date.now() + 1_000_000_000) };
    expect(stateOf(first!)).toMatchObject({ phase: 'REMOVED', reported: false });
    expect(await media.emptyOldTrash(late)).toBe(0);
    catalog.forgotten.clear();
    await media.settleRemovals();
    expect(await media.emptyOldTrash(late)).toBe(1);
  });

  it('is not final by the word of a catalog that has gone back in time since, or is away', async () => {
    const [first] = fragmentIds;
    const grant = catalog.grant(first!);
    const { tombstoneId } = grant;
    const late = { graceMs: 0, now: new Date(Date.now() + 1_000_000_000) };
    await media.removals.onGrant(grant);
    expect(stateOf(first!)).toMatchObject({ phase: 'REMOVED', reported: true });
    catalog.granted.clear();
    expect(await media.emptyOldTrash(late)).toBe(0);
    catalog.granted.set(tombstoneId, first!);
    catalog.deletionsDown = true;
    await expect(media.emptyOldTrash(late)).rejects.toThrow('no catalog');
    expect(await trash()).toHaveLength(1);
    catalog.deletionsDown = false;
    expect(await media.emptyOldTrash(late)).toBe(1);
  });

  it('that fails holds up no other', async () => {
    const [first, second] = fragmentIds;
    const grant = catalog.grant(first!);
    const [name] = files(1);
    mkdirSync(join(folder.path, '.trash', grant.tombstoneId), { recursive: true });
    writeFileSync(join(folder.path, '.trash', grant.tombstoneId, name!), 'in the way');
    await expect(media.removals.onGrant(grant)).rejects.toThrow('there already');
    expect(files(1)).toContain(name);
    catalog.reportsDown = true;
    await expect(media.removals.onGrant(catalog.grant(second!))).rejects.toThrow();
    catalog.reportsDown = false;
    await expect(media.settleRemovals()).rejects.toThrow('there already');
    expect(catalog.deleted).toEqual([second]);
  });

  it('goes to its end where its manifest cannot be read, whatever else is in the trash', async () => {
    const [first, second] = fragmentIds as [string, string];
    const [manifest] = files(1).filter((name) => name.endsWith('.json'));
    const path = join(folder.path, 'images/web1_1790000000/c1', manifest!);
    rmSync(path);
    symlinkSync('/proc/self/mem', path);
    for (const fragmentId of fragmentIds) await media.removals.onGrant(catalog.grant(fragmentId));
    const lost = join(folder.path, '.trash', catalog.grant(second).tombstoneId);
    rmSync(lost, { recursive: true });
    symlinkSync(lost, lost);
    await restart();
    // Nobody knows whether it is gone.
    expect(stateOf(second)).toMatchObject({ phase: 'REMOVED', reported: true });
    const late = { graceMs: 60_000, now: new Date(Date.now() + 61_000) };
    expect(await media.emptyOldTrash(late)).toBe(1);
    expect(media.volumes.volumeOf(first)).toBeUndefined();
    expect(media.removalLog).toEqual([
      expect.stringMatching(/^Not all of the trash of pool "disk"/),
    ]);
  });

  const loseJournal = async () => {
    await media.stop();
    rmSync(join(folder.path, 'journal'), { recursive: true });
    media = await TestMediaServer.start({ folder: folder.path, catalog });
  };

  it('goes on by its grant where the journal was lost, once the fragment is taken in', async () => {
    const [trashed, granted] = fragmentIds as [string, string];
    await media.removals.onGrant(catalog.grant(trashed));
    await loseJournal();
    const grantBoth = async () => {
      for (const fragmentId of fragmentIds) await media.removals.onGrant(catalog.grant(fragmentId));
    };
    await grantBoth();
    expect(files(2)).toHaveLength(3);
    const care = await media.care();
    expect(await care.adopt([granted])).toBe(1);
    expect(await care.takeBack([trashed])).toBe(1);
    expect(files(1)).toHaveLength(3);
    await grantBoth();
    expect((await trash()).map(({ fragmentId }) => fragmentId).sort()).toEqual(fragmentIds.sort());
    const late = { graceMs: 60_000, now: new Date(Date.now() + 61_000) };
    expect(await media.emptyOldTrash(late)).toBe(2);
  });

  it('leaves what it does not know in the trash alone', async () => {
    await media.removals.onGrant(catalog.grant(fragmentIds[0]!));
    await loseJournal();
    const late = { graceMs: 0, now: new Date(Date.now() + 1_000_000_000) };
    expect(await media.emptyOldTrash(late)).toBe(0);
    expect(await trash()).toHaveLength(1);
    expect(existsSync(join(folder.path, '.trash'))).toBe(true);
  });
});
