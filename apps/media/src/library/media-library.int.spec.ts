import { cpSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { MountRequest } from '#contracts/media/library.js';
import type { FragmentReaderClient } from '#transfer/fragment-reader-client.js';
import { confirmGrant } from '#storage/confirmed-grant.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { checkFragment } from '../inventory/fragment-check.js';
import { TestMediaServer } from '../testing/media-server.js';
import { MemoryCatalog } from '../testing/memory-catalog.js';
import { sampleBackup, sendBackup, type SampleFragment } from '../testing/sample-backup.js';
import { makeSmallLibrary } from '#storage/testing/small-library.js';
import { until } from '../../../../test/support/until.js';
import type { MediaLibrary } from './media-library.js';

describe('A media server with a library', () => {
  let folder: TestFolder;
  let catalog: MemoryCatalog;
  let media: TestMediaServer;
  let library: MediaLibrary;
  let backup: SampleFragment[];

  const start = async (mountTimeoutMs?: number) => {
    const given = { folder: folder.path, catalog, isLibrary: true };
    media = await TestMediaServer.start({ ...given, ...(mountTimeoutMs && { mountTimeoutMs }) });
    library = media.volumes.libraries[0]!;
  };
  beforeEach(async () => {
    folder = testFolder();
    catalog = new MemoryCatalog();
    await start();
    backup = await sampleBackup({ fragments: 2, framesEach: 2, frameBytes: 30_000 });
    await sendBackup((await media.write()).writer, backup);
  });
  afterEach(async () => {
    await media.stop();
    folder.dispose();
  });

  const place = (...names: string[]) => join(folder.path, 'library', ...names);
  const readFirst = async (reader: FragmentReaderClient) => {
    const [fragmentId] = catalog.committed.keys();
    const length = backup[0]!.frames[0]!.bytes.length;
    const pieces: Buffer[] = [];
    const range = { fragmentId: fragmentId!, object: 'data', offset: 0, length } as const;
    for await (const piece of reader.read(range)) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces).equals(backup[0]!.frames[0]!.bytes);
  };
  const untilAsked = (): Promise<MountRequest> => until(() => library.mounts.list()[0]);

  it('writes a backup to a volume and reads it back over the data port', async () => {
    const { volumes, drives } = await library.view();
    const [used, ...others] = volumes;
    expect(used).toMatchObject({ volume: 'T00001', state: 'filling', fragments: 2 });
    expect(used!.place).toMatch(/^drive /);
    expect(drives.map(({ volume }) => volume)).toContain('T00001');
    expect(new Set(others.map(({ state }) => state))).toEqual(new Set(['scratch']));
    const { reader, outcome } = await media.read();
    expect(await readFirst(reader)).toBe(true);
    reader.close();
    expect((await outcome).status).toBe(0);
    const { freeBytes, totalBytes } = await library.room();
    expect(freeBytes).toBeLessThan(totalBytes);
  });

  it('lists a mount request for a volume that is away, and goes on when an operator brings it', async () => {
    expect(await library.eject('T00001')).toBe('T00001');
    renameSync(place('mail/T00001'), join(folder.path, 'shelf'));
    const { reader } = await media.read();
    const reading = readFirst(reader);
    const request = await untilAsked();
    expect(request).toMatchObject({ pool: 'disk', job: 7, volumes: [{ label: 'T00001' }] });
    expect((await library.view()).volumes[0]).toMatchObject({ place: 'outside', fragments: 2 });
    renameSync(join(folder.path, 'shelf'), place('mail/T00001'));
    expect(await library.importMail()).toEqual(['T00001']);
    expect(await reading).toBe(true);
    expect(library.mounts.list()).toEqual([]);
    expect(media.jobLog[0]).toMatch(/waiting for volume T00001/);
    expect(media.waits).toEqual(['volume T00001', '']);
    reader.close();
  });

  it('ends a session with status 98 when the request is cancelled, and loses nothing', async () => {
    await library.eject('T00001');
    const { reader, outcome } = await media.read();
    const reading = readFirst(reader);
    reading.catch(() => undefined);
    library.mounts.cancel((await untilAsked()).requestId, 'it is in the vault');
    await expect(reading).rejects.toThrow(/cancelled by an operator \(it is in the vault\)/);
    expect(await outcome).toMatchObject({ status: 98 });
    expect(media.volumes.countByState()).toEqual({ COMMITTED: 2 });
    await library.importMail();
    const again = await media.read();
    expect(await readFirst(again.reader)).toBe(true);
    again.reader.close();
  });

  it('ends a session with status 52 when nobody answers, and with its job', async () => {
    await media.stop();
    await start(30);
    await library.eject('T00001');
    const { outcome, reader } = await media.read();
    await expect(readFirst(reader)).rejects.toThrow(/timed out waiting for media manager/);
    expect(await outcome).toMatchObject({ status: 52 });
    const holdings = await media.holdings();
    const [holding] = await holdings.page('', 1);
    // Nobody is asked on behalf of no job, and a volume that is away damages nothing.
    await expect(checkFragment(holding!)).rejects.toMatchObject({ status: 83 });
    await media.stop();
    await start();
    const ended = await media.read();
    const reading = readFirst(ended.reader);
    reading.catch(() => undefined);
    await untilAsked();
    media.over.abort();
    await expect(reading).rejects.toThrow(/termination requested/);
  });

  it('writes to the next volume while one is away, and says 96 when none has room', async () => {
    await media.stop();
    const small = join(folder.path, 'small');
    await makeSmallLibrary(small, { cartridges: 2, capacityBytes: 80_000 });
    const given = { folder: small, catalog, isLibrary: true };
    media = await TestMediaServer.start(given);
    library = media.volumes.libraries[0]!;
    const write = async (imageId: string) => {
      const { writer, outcome } = await media.write({ imageId });
      await sendBackup(writer, backup).catch(() => undefined);
      return (await outcome).status;
    };
    expect(await write('web1_1790000001')).toBe(0);
    await library.eject('S1');
    expect(await write('web1_1790000002')).toBe(0);
    const { volumes } = await library.view();
    expect(volumes.map(({ volume, fragments }) => [volume, fragments])).toEqual([
      ['S1', 2],
      ['S2', 2],
    ]);
    expect(await write('web1_1790000003')).toBe(96);
    expect(media.volumes.countByState()['COMMITTED']).toBe(4);
  });

  it('ends a backup with status 98 when nobody will bring the volume that has room', async () => {
    await media.stop();
    const small = join(folder.path, 'small');
    await makeSmallLibrary(small, { cartridges: 1, capacityBytes: 400_000 });
    media = await TestMediaServer.start({ folder: small, catalog, isLibrary: true });
    library = media.volumes.libraries[0]!;
    await sendBackup((await media.write({ imageId: 'web1_1790000001' })).writer, backup);
    await library.eject('S1');
    const { writer, outcome } = await media.write({ imageId: 'web1_1790000002' });
    const sending = sendBackup(writer, backup);
    sending.catch(() => undefined);
    const request = await untilAsked();
    library.mounts.cancel(request.requestId, '');
    expect(await outcome).toMatchObject({ status: 98, fragments: 0 });
    await library.importMail();
    const again = await media.write({ imageId: 'web1_1790000002', attempt: 2 });
    await sendBackup(again.writer, backup);
    expect((await again.outcome).status).toBe(0);
    expect(media.volumes.countByState()).toMatchObject({ COMMITTED: 4 });
  });

  describe('with a backup that waits for a volume that is away', () => {
    let outcome: Awaited<ReturnType<typeof media.write>>['outcome'];

    /** S1 holds an image; S2 is outside. */
    const startWaiting = async (capacityBytes: number, prepare = async () => {}) => {
      await media.stop();
      const small = join(folder.path, 'small');
      await makeSmallLibrary(small, { cartridges: 2, capacityBytes });
      media = await TestMediaServer.start({ folder: small, catalog, isLibrary: true });
      library = media.volumes.libraries[0]!;
      const first = await media.write({ imageId: 'web1_1790000001' });
      await sendBackup(first.writer, backup);
      await first.outcome;
      await prepare();
      await library.eject('S2');
      const second = await media.write({ imageId: 'web1_1790000002' });
      ({ outcome } = second);
      sendBackup(second.writer, backup).catch(() => undefined);
      const [wanted] = (await untilAsked()).volumes;
      expect(wanted!.label).toBe('S2');
    };

    it('goes on with one that is not suspended any more', async () => {
      await startWaiting(400_000, async () => void (await library.setState('S1', 'look at it')));
      await library.setState('S1', null);
      expect((await outcome).status).toBe(0);
    });

    it('goes on with one that may begin anew, since the last fragment on it is gone', async () => {
      await startWaiting(80_000);
      const tombstoneId = '01920000-0000-7000-8000-0000000000aa';
      for await (const { state, name } of library.store.list()) {
        if (state !== 'sealed') continue;
        const grant = confirmGrant({ ...name, tombstoneId }, { confirmed: true })!;
        await library.store.remove(grant, name);
      }
      await library.store.emptyTrash(tombstoneId);
      expect((await outcome).status).toBe(0);
    });

    it('looks again behind an inventory, also one that came to a cartridge that it cannot mount', async () => {
      await startWaiting(400_000, async () => void (await library.setState('S1', 'look at it')));
      const [request] = library.mounts.list();
      const place = (name: string) => join(folder.path, 'small/library', name);
      for (const slot of ['001', '002', '003', '004', '005', '006']) {
        cpSync(place('mail/S2'), place(`slots/${slot}/X${slot}`), { recursive: true });
      }
      await expect(library.inventory()).rejects.toThrow(/no empty slot/);
      await until(() => library.mounts.list()[0], {
        is: (again) => again !== undefined && again.requestId !== request!.requestId,
      });
      media.over.abort();
      expect((await outcome).status).toBe(150);
    });
  });

  it('takes a cartridge out of use that holds nothing, and no other one', async () => {
    const retired = (barcode: string) =>
      library.view().then(({ volumes }) => !volumes.some((one) => one.barcode === barcode));
    await expect(library.retire('T00001')).rejects.toThrow(/stays in use: it holds 2 fragments/);
    expect(await library.retire('T00003')).toEqual({ barcode: 'T00003', place: 'mail' });
    expect((await library.view()).mail).toEqual(['T00003']);
    expect(await retired('T00003')).toBe(true);
    await expect(library.retire('T00003')).rejects.toMatchObject({ status: 227 });
    catalog.confirmsAll = true;
    for (const fragmentId of catalog.committed.keys()) {
      await expect(library.retire('T00001')).rejects.toMatchObject({ status: 97 });
      await media.removals.onGrant(catalog.grant(fragmentId));
    }
    // What is in the trash can come back.
    await expect(library.retire('T00001')).rejects.toMatchObject({ status: 97 });
    const now = new Date(Date.now() + 1_000);
    expect(await media.emptyOldTrash({ graceMs: 0, now })).toBe(2);
    await library.eject('T00001');
    renameSync(place('mail/T00001'), join(folder.path, 'shelf'));
    expect(await library.retire('T00001')).toEqual({ barcode: 'T00001', place: 'outside' });
    await media.stop();
    await start();
    expect(await retired('T00001')).toBe(true);
    const { writer, outcome } = await media.write({ imageId: 'web1_1790000002' });
    await sendBackup(writer, backup);
    expect((await outcome).status).toBe(0);
    // It may come back, and is looked over as any that is not known.
    renameSync(join(folder.path, 'shelf'), place('mail/T00001'));
    expect(await library.importMail()).toEqual(['T00001', 'T00003']);
    const { volumes } = await library.view();
    expect(volumes.find(({ barcode }) => barcode === 'T00001')).toMatchObject({ fragments: 2 });
    expect(volumes.find(({ barcode }) => barcode === 'T00003')).toMatchObject({ state: 'scratch' });
  });

  it('labels blank and scratch cartridges, and never one that holds anything', async () => {
    const { volumes } = await library.view();
    const { place: where } = volumes.find(({ volume }) => volume === 'T00007')!;
    const slot = Number(/^slot (\d+)$/.exec(where)?.[1]);
    expect(await library.label(slot, 'WEEKLY1')).toMatchObject({
      volume: 'WEEKLY1',
      state: 'scratch',
    });
    const next = (await library.view()).slots.find(({ volume }) => volume?.startsWith('T'))!;
    await expect(library.label(next.slot, 'WEEKLY1')).rejects.toMatchObject({ status: 226 });
    // A blank one will bear its barcode as its label.
    await expect(library.label(next.slot, 'T00003')).rejects.toMatchObject({ status: 226 });
    await expect(library.label(10, 'X')).rejects.toMatchObject({ status: 227 });
    await library.eject('T00001');
    await library.importMail();
    const ours = (await library.view()).slots.find(({ volume }) => volume === 'T00001')!;
    const refused = library.label(ours.slot, 'NEW');
    await expect(refused).rejects.toThrow(/holds 2 fragments/);
    // By which it knows which volumes it has to read yet.
    const said = library.setState('T00001', 'it is being looked over');
    await expect(said).rejects.toMatchObject({ status: 20, field: 'reason' });
    const reader = await media.read();
    expect(await readFirst(reader.reader)).toBe(true);
    reader.reader.close();
  });
});
