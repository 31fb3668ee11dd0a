import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { permitRecycling } from '../sequential/recycle-permit.js';
import { BlockUnreadable } from '../sequential/sequential-errors.js';
import { parseLabel } from '../sequential/volume-format.js';
import {
  describeMediaLibrary,
  forBlank,
  labelOf,
  type LibraryFixture,
} from '../testing/describe-media-library.js';
import { patternBytes } from '../testing/fragments.js';
import { smallVolume, testFolder, type TestFolder } from '../testing/small-volume.js';
import { FileChanger } from './file-changer.js';
import { FileMedium } from './file-medium.js';
import { openFileLibrary } from './open-library.js';

const SHAPE = { slots: 4, drives: 2 };

async function library(
  capacityBytes: number,
  { folder = testFolder(), reserveBytes = 0 } = {},
): Promise<LibraryFixture & { folder: TestFolder }> {
  const open = () => FileChanger.open({ folder: folder.path, reserveBytes, ...SHAPE });
  let changer = await open();
  const barcodes = ['T00001', 'T00002'] as const;
  for (const [at, barcode] of barcodes.entries()) {
    await changer.addCartridge(at + 1, { barcode, capacityBytes });
  }
  const first = changer;
  return {
    ...{ folder, changer: first, barcodes, capacityBytes },
    reopen: async () => {
      await changer.close();
      changer = await open();
      return changer;
    },
    refusesOwner: async () => {
      const refused = await open().then(
        () => false,
        (error: { status?: number }) => error.status === 83,
      );
      return refused;
    },
    dispose: async () => {
      await changer.close();
      folder.dispose();
    },
  };
}

describeMediaLibrary('A file library', library);

describe('A file library', () => {
  const opened: { dispose(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.dispose();
  });
  const labelled = async (on: { folder?: TestFolder; reserveBytes?: number } = {}) => {
    const fixture = await library(10_000_000, on);
    opened.push(fixture);
    await fixture.changer.load(1, 1);
    const medium = await fixture.changer.drive(1).open();
    await medium.begin(forBlank('T00001'), labelOf('T00001'));
    await medium.append(patternBytes(5_000));
    await medium.mark();
    const cartridge = join(fixture.folder.path, 'drives/001/T00001');
    return { ...fixture, medium, cartridge };
  };

  it('lays a cartridge out so that dd reads it', async () => {
    const { cartridge } = await labelled();
    expect(readdirSync(cartridge).sort()).toEqual([
      '00000001.blocks',
      '00000001.data',
      'cartridge.json',
    ]);
    const map = readFileSync(join(cartridge, '00000001.blocks'), 'utf8').split('\n');
    const [, , offset, length] = map[2]!.split('\t');
    const skip = `skip=${offset}`;
    const args = [`if=${join(cartridge, '00000001.data')}`, 'bs=1', skip, `count=${length}`];
    expect(spawnSync('dd', args).stdout.equals(patternBytes(5_000))).toBe(true);
  });

  it('goes on behind a line of the map that a crash has cut off', async () => {
    const { cartridge, reopen } = await labelled();
    appendFileSync(join(cartridge, '00000001.data'), 'half');
    appendFileSync(join(cartridge, '00000001.blocks'), '4\tblock\t5000\t10');
    const medium = await (await reopen()).drive(1).open();
    expect(medium.endOfData).toBe(4);
    await medium.append(patternBytes(7, 3));
    await medium.mark();
    await medium.close();
    const again = await (await reopen()).drive(1).open();
    expect(again.endOfData).toBe(6);
    await again.locate(4);
    expect(await again.next()).toEqual({ type: 'block', bytes: patternBytes(7, 3) });
  });

  it('fails for a block that has changed, and opens no volume whose map lacks a line', async () => {
    const { cartridge, reopen } = await labelled();
    const data = readFileSync(join(cartridge, '00000001.data'));
    data[data.length - 1]! ^= 1;
    writeFileSync(join(cartridge, '00000001.data'), data);
    const changer = await reopen();
    const medium = await changer.drive(1).open();
    await medium.locate(2);
    await expect(medium.next()).rejects.toBeInstanceOf(BlockUnreadable);
    await medium.close();
    const map = readFileSync(join(cartridge, '00000001.blocks'), 'utf8').split('\n');
    writeFileSync(join(cartridge, '00000001.blocks'), [map[0], ...map.slice(2)].join('\n'));
    await expect(changer.drive(1).open()).rejects.toMatchObject({ name: 'VolumeUnusable' });
  });

  it('is described anew where a process died over that, and makes no cartridge a second time', async () => {
    const folder = testFolder();
    const first = await openFileLibrary(folder.path, 0);
    await first.changer.load(1, 2);
    await first.changer.export(2);
    await first.changer.close();
    renameSync(join(folder.path, 'library.json'), join(folder.path, 'library.json.partial'));
    truncateSync(join(folder.path, 'library.json.partial'), 5);
    const { changer } = await openFileLibrary(folder.path, 0);
    opened.push({
      dispose: async () => {
        await changer.close();
        folder.dispose();
      },
    });
    const { slots, drives, mail } = await changer.inventory();
    expect([drives[1]!.barcode, mail]).toEqual(['T00001', ['T00002']]);
    const inSlots = slots.flatMap(({ barcode }) => barcode ?? []);
    expect(inSlots).toEqual(['T00003', 'T00004', 'T00005', 'T00006', 'T00007', 'T00008']);
    const again = { barcode: 'T00001', capacityBytes: 1_000 };
    await expect(changer.addCartridge(1, again)).rejects.toMatchObject({ status: 97 });
    mkdirSync(join(folder.path, 'library/mail/T00003'));
    await expect(changer.import('T00003', 1)).rejects.toMatchObject({ status: 97 });
  });

  it('leaves the reserve of its file system free, in which the journals go on', async () => {
    const folder = smallVolume(3_000_000) ?? testFolder();
    const { bavail, bsize } = statfsSync(folder.path);
    const reserveBytes = bavail * bsize - 2_200_000;
    const { medium, reopen } = await labelled({ folder, reserveBytes });
    const fill = async () => {
      for (;;) await medium.append(patternBytes(1_000_000));
    };
    await expect(fill()).rejects.toMatchObject({ name: 'VolumeFull', status: 129 });
    const after = statfsSync(folder.path);
    expect(after.bavail * after.bsize).toBeGreaterThanOrEqual(reserveBytes);
    const again = await (await reopen()).drive(1).open();
    await again.mark();
    expect(again.endOfData).toBe(5);
  });

  it('writes nothing over what somebody else has added meanwhile', async () => {
    const { cartridge, medium } = await labelled();
    const other = await FileMedium.open(cartridge, { take: async () => undefined });
    await other.append(patternBytes(600, 2));
    await other.mark();
    await expect(medium.append(patternBytes(600, 3))).rejects.toMatchObject({ status: 84 });
    await other.locate(4);
    expect(await other.next()).toEqual({ type: 'block', bytes: patternBytes(600, 2) });
    await other.close();
  });

  it('begins no volume anew that somebody else has begun anew meanwhile', async () => {
    const { cartridge, medium } = await labelled();
    const { volumeId } = parseLabel(labelOf('T00001'))!;
    const { barcode, endOfData } = medium;
    const books = { volumeId, holds: new Set<string>(), endPosition: endOfData };
    const permit = permitRecycling({ barcode, label: labelOf('T00001'), endOfData }, books)!;
    const other = await FileMedium.open(cartridge, { take: async () => undefined });
    await other.begin(permit, labelOf('A2'));
    await other.append(patternBytes(600, 2));
    await other.mark();
    await expect(medium.begin(permit, labelOf('A3'))).rejects.toMatchObject({ status: 84 });
    await other.close();
    const again = await FileMedium.open(cartridge, { take: async () => undefined });
    await again.locate(2);
    expect(await again.next()).toEqual({ type: 'block', bytes: patternBytes(600, 2) });
    await again.close();
  });

  it('takes no cartridge for blank whose map is lost or empty', async () => {
    const { cartridge, reopen } = await labelled();
    const changer = await reopen();
    appendFileSync(join(cartridge, '00000001.data'), patternBytes(8_192, 1));
    writeFileSync(join(cartridge, '00000001.blocks'), '');
    const lost = { name: 'VolumeUnusable', message: expect.stringContaining('map') };
    await expect(changer.drive(1).open()).rejects.toMatchObject(lost);
    rmSync(join(cartridge, '00000001.blocks'));
    await expect(changer.drive(1).open()).rejects.toMatchObject(lost);
    // What a process leaves that dies while it begins a volume is a label at the most.
    writeFileSync(join(cartridge, '00000001.data'), 'a label');
    const medium = await changer.drive(1).open();
    expect(medium.endOfData).toBe(0);
    await medium.close();
  });
});
