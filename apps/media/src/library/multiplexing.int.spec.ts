import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { seekTableBytes } from '#archive/frames/seek-table.js';
import { Unavailable } from '#kernel/errors.js';
import { LibraryLedger } from '#storage/library-books/library-ledger.js';
import type { FragmentOnVolume } from '#storage/library-books/library-state.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { TestMediaServer } from '../testing/media-server.js';
import { MemoryCatalog } from '../testing/memory-catalog.js';
import { makeSmallLibrary } from '#storage/testing/small-library.js';
import { until } from '../../../../test/support/until.js';
import {
  sampleBackup,
  sendBackup,
  sendContent,
  totalsOf,
  type SampleFragment,
} from '../testing/sample-backup.js';

const CLIENTS = ['web1', 'web2', 'web3'] as const;
const FRAGMENT_BYTES_MAX = 120_000;
const FRAGMENTS = 6;

/** Streams of several clients, one drive, and nothing in between but the spool. */
describe('Several streams on one drive', () => {
  let folder: TestFolder;
  let catalog: MemoryCatalog;
  let media: TestMediaServer;
  let fragmentBytesMax: number;
  const backups = new Map<string, SampleFragment[]>();

  beforeAll(async () => {
    for (const client of CLIENTS) {
      const shape = { fragments: FRAGMENTS, framesEach: 2, frameBytes: 100_000 };
      backups.set(client, await sampleBackup(shape));
    }
  });

  const start = async (
    library: { cartridges: number; capacityBytes: number; drives?: number },
    options: { spoolBytesMax?: number } = {},
  ) => {
    await makeSmallLibrary(folder.path, library);
    media = await TestMediaServer.start({
      ...{ folder: folder.path, catalog, isLibrary: true },
      ...options,
    });
  };
  beforeEach(() => {
    folder = testFolder();
    catalog = new MemoryCatalog();
    fragmentBytesMax = FRAGMENT_BYTES_MAX;
  });
  afterEach(async () => {
    await media.stop();
    folder.dispose();
  });

  const imageOf = (client: string) => `${client}_1790000000`;
  const begin = async (client: string) => {
    const image = { imageId: imageOf(client), client, fragmentBytesMax };
    const { writer, outcome } = await media.write(image);
    return { writer, outcome, session: media.session!, backup: backups.get(client)! };
  };
  const backUp = async (client: string) => {
    const { writer, outcome, backup } = await begin(client);
    await sendBackup(writer, backup).catch(() => undefined);
    return (await outcome).status;
  };
  const mounts = () => media.libraryLog.filter((line) => line.startsWith('mounted')).length;
  const waits = () => media.jobLog.filter((line) => line.startsWith('waiting for room')).length;

  const fragmentsOf = (client: string) =>
    [...catalog.committed.values()]
      .filter(({ imageId }) => imageId === imageOf(client))
      .sort((a, b) => a.number - b.number);
  const isReadBack = async (client: string) => {
    const { reader, outcome } = await media.read([imageOf(client)]);
    for (const [index, { fragmentId }] of fragmentsOf(client).entries()) {
      const sent = Buffer.concat(backups.get(client)![index]!.frames.map(({ bytes }) => bytes));
      const range = { fragmentId, object: 'data', offset: 0, length: sent.length } as const;
      const pieces: Buffer[] = [];
      for await (const piece of reader.read(range)) pieces.push(Buffer.from(piece));
      if (!Buffer.concat(pieces).equals(sent)) return false;
    }
    reader.close();
    expect((await outcome).status).toBe(0);
    return fragmentsOf(client).length === FRAGMENTS;
  };
  /** What lies on the volumes, in the order in which it was written. For a media server that is stopped. */
  const onVolumes = async (): Promise<FragmentOnVolume[]> => {
    const ledger = await LibraryLedger.open(join(folder.path, 'ledger'));
    const found = [...ledger.state.fragments.values()];
    await ledger.close();
    return found.sort((a, b) =>
      a.volumeId === b.volumeId ? a.position - b.position : a.volumeId < b.volumeId ? -1 : 1,
    );
  };

  it('lie on one volume by turns, with one mount for all of them', async () => {
    await start({ cartridges: 2, capacityBytes: 8_000_000 });
    expect(await Promise.all(CLIENTS.map(backUp))).toEqual([0, 0, 0]);
    expect(media.bugs).toEqual([]);
    // What is looked over at the start is mounted for a moment, too.
    const looked = mounts();
    for (const client of CLIENTS)
      expect([client, await isReadBack(client)]).toEqual([client, true]);
    expect(mounts()).toBe(looked);
    const { volumes } = await media.volumes.libraries[0]!.view();
    expect(volumes.map(({ fragments }) => fragments)).toEqual([3 * FRAGMENTS, 0]);
    await media.stop();
    const order = (await onVolumes()).map(({ manifest }) => manifest.client);
    // Nobody is passed twice: within any four fragments that follow each other each client has one.
    for (let at = 0; at + 4 <= 3 * (FRAGMENTS - 2); at += 1) {
      expect([order, new Set(order.slice(at, at + 4)).size]).toEqual([order, 3]);
    }
  });

  it('keep each drive at work where there are two, and add to what is mounted', async () => {
    await start({ cartridges: 4, capacityBytes: 8_000_000, drives: 2 });
    expect(await Promise.all(CLIENTS.map(backUp))).toEqual([0, 0, 0]);
    const { volumes } = await media.volumes.libraries[0]!.view();
    expect(volumes.map(({ fragments }) => fragments > 0)).toEqual([true, true, false, false]);
    for (const client of CLIENTS) expect(await isReadBack(client)).toBe(true);
  });

  it('are read by themselves: what lies in between may be gone', async () => {
    await start({ cartridges: 1, capacityBytes: 8_000_000 });
    await Promise.all(CLIENTS.map(backUp));
    await media.stop();
    const own = (await onVolumes()).filter(({ manifest }) => manifest.client === 'web2');
    wipeOthers(join(folder.path, 'library'), own);
    media = await TestMediaServer.start({ folder: folder.path, catalog, isLibrary: true });
    expect(await isReadBack('web2')).toBe(true);
    expect(await isReadBack('web1').catch(() => false)).toBe(false);
  });

  it('do not wait for a slow one, which loses nothing by it', async () => {
    await start({ cartridges: 1, capacityBytes: 8_000_000 });
    const slow = await begin('web1');
    await sendContent(slow.writer, slow.backup[0]!);
    expect(await Promise.all(['web2', 'web3'].map(backUp))).toEqual([0, 0]);
    await slow.writer.seal(slow.backup[0]!.claim);
    for (const fragment of slow.backup.slice(1)) {
      await sendContent(slow.writer, fragment);
      await slow.writer.seal(fragment.claim);
    }
    await slow.writer.finish(totalsOf(slow.backup));
    expect((await slow.outcome).status).toBe(0);
    for (const client of CLIENTS) expect(await isReadBack(client)).toBe(true);
  });

  it('wait for each other where the spool has room for the data of one fragment, and do not fail', async () => {
    fragmentBytesMax = Math.max(...[...backups.values()].flat().map(dataBytesOf));
    const spoolBytesMax = fragmentBytesMax;
    await start({ cartridges: 1, capacityBytes: 8_000_000 }, { spoolBytesMax });
    expect(await Promise.all(CLIENTS.map(backUp))).toEqual([0, 0, 0]);
    expect(waits()).toBeGreaterThan(0);
    expect(media.waits.at(-1)).toBe('');
    for (const client of CLIENTS) expect(await isReadBack(client)).toBe(true);
  });

  it('lose no room in the spool to one that cannot be written down', async () => {
    const spoolBytesMax = FRAGMENT_BYTES_MAX;
    await start({ cartridges: 1, capacityBytes: 8_000_000 }, { spoolBytesMax });
    const { ledger } = await media.volumes.roomiest('disk');
    const intent = ledger.intent.bind(ledger);
    ledger.intent = () => Promise.reject(new Unavailable('no journal', 84));
    expect(await backUp('web1')).toBe(84);
    ledger.intent = intent;
    expect(await backUp('web2')).toBe(0);
  });

  it('go on with the next volume where one becomes full, and end with 96 where none is left', async () => {
    // A cartridge takes seven fragments; three take 21 of 24.
    await start({ cartridges: 3, capacityBytes: 760_000 });
    expect(await Promise.all(CLIENTS.map(backUp))).toEqual([0, 0, 0]);
    const { volumes } = await media.volumes.libraries[0]!.view();
    expect(volumes.filter(({ fragments }) => fragments > 0).length).toBe(3);
    for (const client of CLIENTS) expect(await isReadBack(client)).toBe(true);
    backups.set('web4', backups.get('web1')!);
    expect(await backUp('web4')).toBe(96);
    for (const client of CLIENTS) expect(await isReadBack(client)).toBe(true);
  });

  it('go on with the next volume where one ends before its maker says so', async () => {
    await start({ cartridges: 3, capacityBytes: 8_000_000 });
    expect(await backUp('web1')).toBe(0);
    await media.stop();
    // Two more fragments and a half.
    shrink(join(folder.path, 'library'), 'S1', 890_000);
    media = await TestMediaServer.start({ folder: folder.path, catalog, isLibrary: true });
    expect(await Promise.all(['web2', 'web3'].map(backUp))).toEqual([0, 0]);
    expect(media.libraryLog).toContain('volume S1 is full');
    const { volumes } = await media.volumes.libraries[0]!.view();
    expect(volumes.map(({ volume, state, fragments }) => [volume, state, fragments])).toEqual([
      ['S1', 'full', 8],
      ['S2', 'filling', 10],
      ['S3', 'scratch', 0],
    ]);
    for (const client of CLIENTS) expect(await isReadBack(client)).toBe(true);
  });

  it('are not held up by one that is cancelled, while it writes or while it waits for room', async () => {
    // Room for one fragment, and for what a cancelled one has left, which stays.
    const spoolBytesMax = 2 * FRAGMENT_BYTES_MAX - 10_000;
    await start({ cartridges: 1, capacityBytes: 8_000_000 }, { spoolBytesMax });
    const [holder, waiter] = [await begin('web1'), await begin('web2')];
    await sendContent(holder.writer, holder.backup[0]!);
    await until(() => media.progress.length > 0);
    sendContent(waiter.writer, waiter.backup[0]!).catch(() => undefined);
    await until(() => waits() > 0);
    const third = backUp('web3');
    waiter.session.cancel();
    expect((await waiter.outcome).status).toBe(150);
    holder.session.cancel();
    expect((await holder.outcome).status).toBe(150);
    expect(await third).toBe(0);
    expect(await isReadBack('web3')).toBe(true);
    expect([...fragmentsOf('web1'), ...fragmentsOf('web2')]).toEqual([]);
  });
});

/** With the seek table. */
function dataBytesOf({ frames }: SampleFragment): number {
  return frames.reduce((sum, { bytes }) => sum + bytes.length, seekTableBytes(frames.length));
}

/** The folders of the cartridges, by barcode. */
function cartridgesIn(library: string): Map<string, string> {
  const places = ['slots', 'drives'].flatMap((kind) =>
    readdirSync(join(library, kind)).map((place) => join(library, kind, place)),
  );
  return new Map(
    places.flatMap((place) => readdirSync(place).map((one) => [one, join(place, one)] as const)),
  );
}

/** Has a cartridge take less than it was said to when its volume was begun. */
function shrink(library: string, barcode: string, capacityBytes: number): void {
  const file = join(cartridgesIn(library).get(barcode)!, 'cartridge.json');
  writeFileSync(file, JSON.stringify({ version: 1, barcode, capacityBytes }));
}

/** Overwrites all that lies on the cartridges but the label and these fragments. */
function wipeOthers(library: string, own: readonly FragmentOnVolume[]): void {
  const kept = new Set([0, 1]);
  for (const { position, manifest } of own) {
    const blocks =
      Math.ceil(manifest.storedBytes / 2 ** 20) + Math.ceil(manifest.indexBytes / 2 ** 20);
    for (let at = 0; at <= blocks + 2; at += 1) kept.add(position + at);
  }
  for (const cartridge of cartridgesIn(library).values()) {
    for (const name of readdirSync(cartridge).filter((one) => one.endsWith('.data'))) {
      const data = readFileSync(join(cartridge, name));
      const map = readFileSync(join(cartridge, name.replace('.data', '.blocks')), 'utf8');
      for (const line of map.split('\n')) {
        const [position, kind, offset, length] = line.split('\t');
        if (kind !== 'block' || kept.has(Number(position))) continue;
        data.fill(0, Number(offset), Number(offset) + Number(length));
      }
      writeFileSync(join(cartridge, name), data);
    }
  }
}
