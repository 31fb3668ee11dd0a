import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FragmentCommit } from '#contracts/fragment.js';
import { mediaInventory, mediaManifests, type InventoryEntry } from '#contracts/media.js';
import { Unavailable } from '#kernel/errors.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { MemoryCatalog } from '../testing/memory-catalog.js';
import { SAMPLE_DETAILS, TestMediaServer } from '../testing/media-server.js';
import { sampleBackup, sendBackup } from '../testing/sample-backup.js';
import { checkFragment } from './fragment-check.js';
import { inventoryPage, manifestsPage } from './inventory.js';

const SHAPE = { fragments: 4, framesEach: 2, frameBytes: 20_000 };

describe('What lies on a media server', () => {
  let folder: TestFolder;
  let catalog: MemoryCatalog;
  let media: TestMediaServer;
  let fragments: FragmentCommit[];
  beforeEach(async () => {
    folder = testFolder();
    catalog = new MemoryCatalog();
    await start();
    const { writer } = await media.write();
    await sendBackup(writer, await sampleBackup(SHAPE));
    fragments = [...catalog.committed.values()].sort((a, b) => a.number - b.number);
  });
  afterEach(async () => {
    await media.stop();
    folder.dispose();
  });

  const start = async () => {
    const more = [{ path: join(folder.path, 'vault'), pool: 'vault' }];
    media = await TestMediaServer.start({ folder: join(folder.path, 'disk'), more, catalog });
  };
  /** The process ends, something happens to its folder, and it starts again. */
  const meanwhile = async (change: () => void) => {
    await media.stop();
    change();
    await start();
  };
  const loseJournal = () =>
    meanwhile(() => rmSync(join(folder.path, 'disk/journal'), { recursive: true }));
  const fileOf = (number: number, suffix = '.tar.zst') =>
    join(
      folder.path,
      'disk/images/web1_1790000000/c1',
      `0000${number}-${fragments[number - 1]!.fragmentId}${suffix}`,
    );
  const flip = (path: string, at: number) => {
    const bytes = readFileSync(path);
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
  };
  const inventory = async (limit = 500): Promise<InventoryEntry[]> => {
    const holdings = await media.holdings();
    const entries: InventoryEntry[] = [];
    for (let after: string | null = ''; after !== null;) {
      const { rows, next }: Awaited<ReturnType<typeof inventoryPage>> = await inventoryPage(
        holdings,
        { after, limit },
      );
      mediaInventory.response.parse({ entries: rows, next, volumes: [] });
      expect(rows.length).toBeLessThanOrEqual(limit);
      entries.push(...rows);
      after = next;
    }
    return entries;
  };
  const seen = async () =>
    (await inventory()).map(({ number, journal, bytes }) => `${number} ${journal} ${bytes}`);

  it('is told page by page, by fragment id', async () => {
    const all = await inventory();
    expect(await inventory(1)).toEqual(all);
    expect(await inventory(3)).toEqual(all);
    const ids = all.map(({ fragmentId }) => fragmentId);
    expect(ids).toEqual([...ids].sort());
    expect(all[0]).toMatchObject({
      ...{ imageId: 'web1_1790000000', copy: 1, number: 1, pool: 'disk' },
      ...{ journal: 'COMMITTED', bytes: 'whole', catalogEpoch: 'epoch-1', tombstoneId: null },
      ...{ digest: fragments[0]!.digest, storedBytes: fragments[0]!.storedBytes, reason: '' },
    });
  });

  it('is not told as missing where the whole volume is away', async () => {
    renameSync(join(folder.path, 'disk'), join(folder.path, 'elsewhere'));
    mkdirSync(join(folder.path, 'disk'));
    await expect(inventory()).rejects.toThrow('is not there');
    const holdings = await media.holdings();
    const holding = holdings.find(fragments[0]!.fragmentId)!;
    await expect(checkFragment(holding)).rejects.toBeInstanceOf(Unavailable);
    rmSync(join(folder.path, 'disk'), { recursive: true });
    renameSync(join(folder.path, 'elsewhere'), join(folder.path, 'disk'));
    expect((await inventory())[0]).toMatchObject({ bytes: 'whole' });
  });

  it('shows what is missing, truncated, unfinished or in the trash', async () => {
    const volume = await media.volumes.roomiest('disk');
    const fragmentId = '01920000-0000-7000-8000-0000000000aa';
    const begun = { imageId: 'web1_1790000001', copy: 1, number: 1, fragmentId };
    await volume.ledger.intent({ ...begun, attempt: 1 });
    // As a process that died has left it.
    await (await volume.store.create(begun)).abandon();
    const grant = catalog.grant(fragments[3]!.fragmentId);
    await media.removals.onGrant(grant);
    await meanwhile(() => {
      for (const suffix of ['.tar.zst', '.idx.zst', '.json']) rmSync(fileOf(1, suffix));
      truncateSync(fileOf(2), 100);
      rmSync(fileOf(3, '.json'));
    });
    expect((await seen()).sort()).toEqual([
      '1 COMMITTED missing',
      '1 INTENT partial',
      '2 COMMITTED damaged',
      '3 COMMITTED damaged',
      '4 REMOVED trash',
    ]);
    expect((await inventory()).find(({ number }) => number === 4)).toMatchObject({
      tombstoneId: grant.tombstoneId,
    });
  });

  /** It opens, and reading it fails with EIO. */
  const harm = (path: string) => {
    rmSync(path);
    symlinkSync('/proc/self/mem', path);
  };

  it('is damaged where a manifest cannot be read, and all else is told', async () => {
    harm(fileOf(1, '.json'));
    expect((await seen()).sort()).toEqual([
      '1 COMMITTED damaged',
      ...[2, 3, 4].map((number) => `${number} COMMITTED whole`),
    ]);
    const holdings = await media.holdings();
    const { rows } = await manifestsPage(holdings, { after: '', limit: 20 });
    expect(rows.map(({ manifest }) => manifest.number)).toEqual([2, 3, 4]);
    const holding = holdings.find(fragments[0]!.fragmentId)!;
    const reason = expect.stringMatching(/cannot be read: EIO/);
    expect(await checkFragment(holding)).toEqual({ bytes: 'damaged', reason, unreadable: true });
    // Of the fragment that says nothing where the whole volume is away.
    rmSync(join(folder.path, 'disk/volume.json'));
    await expect(checkFragment(holding)).rejects.toThrow('is not there');
    await expect(manifestsPage(holdings, { after: '', limit: 20 })).rejects.toThrow('is not there');
  });

  it('is not missing where its trash cannot be read', async () => {
    const { fragmentId } = fragments[0]!;
    const { tombstoneId } = catalog.grant(fragmentId);
    await media.removals.onGrant(catalog.grant(fragmentId));
    const trash = join(folder.path, 'disk/.trash', tombstoneId);
    await meanwhile(() => {
      rmSync(trash, { recursive: true });
      symlinkSync(trash, trash);
    });
    expect((await seen())[0]).toBe('1 REMOVED damaged');
    expect([...media.volumes][0]!.unsettled).toEqual([expect.stringMatching(/^the trash: ELOOP/)]);
  });

  it('is looked over again where not all of it could be read', async () => {
    const [disk] = [...media.volumes];
    const trash = join(folder.path, 'disk/.trash/01920000-0000-7000-8000-0000000000aa');
    const copy = join(folder.path, 'disk/images/web1_1790000000/c1');
    mkdirSync(trash, { recursive: true });
    const orphan = join(trash, '00001-01920000-0000-7000-8000-0000000000bb.json');
    symlinkSync('/proc/self/mem', orphan);
    renameSync(copy, `${copy}.away`);
    symlinkSync(copy, copy);
    const holdings = await media.holdings();
    const isSeen = () => holdings.hasSeen(disk!);
    const lookAgain = async () => {
      expect(isSeen()).toBe(false);
      await holdings.page('', 1);
      for (let tries = 0; tries < 200 && !isSeen() && holdings.unread.size === 0; tries += 1) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    expect([...media.volumes].map((volume) => holdings.hasSeen(volume))).toEqual([false, true]);
    rmSync(copy);
    renameSync(`${copy}.away`, copy);
    await lookAgain();
    expect(String(holdings.unread.get(disk!))).toMatch(/manifest in \.trash\/\S+ cannot be read/);
    rmSync(orphan);
    await lookAgain();
    expect(isSeen()).toBe(true);
  });

  it('is orphans where the journal is lost, and they can be adopted', async () => {
    await loseJournal();
    expect(media.volumes.countByState()).toEqual({});
    expect(await seen()).toEqual(['1', '2', '3', '4'].map((number) => `${number} none whole`));
    const [scanned] = await (await media.holdings()).scan();
    expect(scanned![1]).toBe(4);
    catalog.committed.clear();
    const ids = fragments.map(({ fragmentId }) => fragmentId);
    expect(await (await media.care()).adopt([...ids, ids[0]!])).toBe(4);
    for (const id of ids) expect(await media.offers.verdict(id)).toBe('COMMITTED');
    expect(await seen()).toEqual(['1', '2', '3', '4'].map((number) => `${number} COMMITTED whole`));
    expect(await (await media.care()).adopt(ids)).toBe(0);
  });

  it('is not adopted when it is not whole', async () => {
    await media.stop();
    rmSync(join(folder.path, 'disk/journal'), { recursive: true });
    truncateSync(fileOf(1), 100);
    rmSync(fileOf(2, '.json'));
    await start();
    expect(await seen()).toEqual([
      '1 none damaged',
      '2 none partial',
      '3 none whole',
      '4 none whole',
    ]);
    const ids = fragments.map(({ fragmentId }) => fragmentId);
    expect(await (await media.care()).adopt(ids)).toBe(2);
  });

  it('gives the manifests of what counts, as they stand in their files', async () => {
    await media.removals.onGrant(catalog.grant(fragments[2]!.fragmentId));
    const holdings = await media.holdings();
    const first = await manifestsPage(holdings, { after: '', limit: 2 });
    mediaManifests.response.parse({ manifests: first.rows, next: first.next });
    const second = await manifestsPage(holdings, { after: first.next!, limit: 2 });
    const manifests = [...first.rows, ...second.rows].map(({ manifest }) => manifest);
    expect(manifests.map(({ number }) => number)).toEqual([1, 2, 4]);
    expect(manifests[2]).toMatchObject({ last: true, image: SAMPLE_DETAILS });
    expect(second.next).toBeNull();
  });

  it('gives no more manifests at once than fit into a message, whatever the letters', async () => {
    for (const { number } of fragments) {
      const path = fileOf(number, '.json');
      const manifest = JSON.parse(readFileSync(path, 'utf8')) as { image: object };
      manifest.image = { ...SAMPLE_DETAILS, selections: [`/${'\u3042'.repeat(120_000)}`] };
      writeFileSync(path, JSON.stringify(manifest));
    }
    const holdings = await media.holdings();
    const { rows, next } = await manifestsPage(holdings, { after: '', limit: 4 });
    expect([rows.length, next]).toEqual([1, fragments[0]!.fragmentId]);
  });

  it('is offered again whatever verdict the journal has', async () => {
    catalog.committed.clear();
    const ids = fragments.map(({ fragmentId }) => fragmentId);
    const care = await media.care();
    expect(await care.offerAgain([...ids, '01920000-0000-7000-8000-0000000000ff'])).toBe(4);
    expect(catalog.committed.size).toBe(4);
    catalog.inquiryDown = true;
    await expect(care.offerAgain(ids)).rejects.toThrow();
  });

  it('comes back from the trash and is offered', async () => {
    const [first, second] = fragments;
    await media.removals.onGrant(catalog.grant(first!.fragmentId));
    const { tombstoneId } = catalog.grant(second!.fragmentId);
    await media.removals.onGrant(catalog.grant(second!.fragmentId));
    for (const { store } of media.volumes) await store.emptyTrash(tombstoneId);
    catalog.committed.clear();
    const ids = fragments.map(({ fragmentId }) => fragmentId);
    expect(await (await media.care()).takeBack(ids)).toBe(1);
    expect(await media.offers.verdict(first!.fragmentId)).toBe('COMMITTED');
    expect((await seen()).slice(0, 2)).toEqual(['1 COMMITTED whole', '2 REMOVED missing']);
    expect(media.removals.open).toBe(0);
  });

  it('comes back from the trash though another one cannot', async () => {
    const ids = fragments.slice(0, 2).map(({ fragmentId }) => fragmentId);
    for (const fragmentId of ids) await media.removals.onGrant(catalog.grant(fragmentId));
    writeFileSync(fileOf(1), 'in the way');
    await expect((await media.care()).takeBack(ids)).rejects.toThrow('there already');
    expect((await seen())[1]).toMatch(/^2 \w+ whole$/);
  });

  it('comes back from the trash when the journal was lost too', async () => {
    await media.removals.onGrant(catalog.grant(fragments[0]!.fragmentId));
    await loseJournal();
    expect((await seen())[0]).toBe('1 none trash');
    expect(await (await media.care()).takeBack([fragments[0]!.fragmentId])).toBe(1);
    expect(await media.offers.verdict(fragments[0]!.fragmentId)).toBe('COMMITTED');
  });

  it('comes back from half-way to the trash when the journal was lost too', async () => {
    const { fragmentId } = fragments[0]!;
    const { tombstoneId } = catalog.grant(fragmentId);
    await media.removals.onGrant(catalog.grant(fragmentId));
    const trash = join(folder.path, 'disk/.trash', tombstoneId);
    for (const suffix of ['.tar.zst', '.idx.zst']) {
      renameSync(join(trash, `00001-${fragmentId}${suffix}`), fileOf(1, suffix));
    }
    await loseJournal();
    expect((await seen())[0]).toBe('1 none trash');
    expect(await (await media.care()).takeBack([fragmentId])).toBe(1);
    expect((await seen())[0]).toMatch(/^1 \w+ whole$/);
  });

  it('is on its way back for good when a crash cuts the return', async () => {
    const { fragmentId } = fragments[0]!;
    await media.removals.onGrant(catalog.grant(fragmentId));
    const volume = media.volumes.volumeOf(fragmentId)!;
    await volume.ledger.takenBack(fragmentId);
    await meanwhile(() => undefined);
    expect(await media.offers.verdict(fragmentId)).toBe('COMMITTED');
    expect((await seen())[0]).toBe('1 COMMITTED whole');
  });

  it.each([
    ['a flipped bit', () => flip(fileOf(1), 5_000), /another digest/],
    ['a flipped bit in the index', () => flip(fileOf(1, '.idx.zst'), 40), /another digest/],
    ['a truncated file', () => truncateSync(fileOf(1), 5_000), /other sizes/],
    ['a missing file', () => rmSync(fileOf(1)), /missing/],
    ['another manifest', () => renameSync(fileOf(2, '.json'), fileOf(1, '.json')), /another/],
  ])('is read whole to check it, and shows %s', async (_, harm, reason) => {
    const holding = (await media.holdings()).find(fragments[0]!.fragmentId)!;
    expect(await checkFragment(holding)).toEqual({ bytes: 'whole', reason: '' });
    harm();
    expect(await checkFragment(holding)).toMatchObject({
      bytes: 'damaged',
      reason: expect.stringMatching(reason),
    });
  });
});
