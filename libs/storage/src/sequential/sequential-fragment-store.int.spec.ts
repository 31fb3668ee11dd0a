import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { confirmGrant } from '../confirmed-grant.js';
import { copyFolder, fileName, PARTIAL_SUFFIX, type FragmentName } from '../fragment-name.js';
import type { FragmentWriter } from '../fragment-store.js';
import { describeFragmentStore } from '../testing/describe-fragment-store.js';
import { all, fragmentName, manifestOf, patternBytes, write } from '../testing/fragments.js';
import { SequentialFixture, type SequentialShape } from '../testing/sequential-fixture.js';
import { LibraryLedger } from '../library-books/library-ledger.js';
import { volumeState } from '../library-books/library-state.js';
import { READING } from './volume-keeper.js';
import type { LibraryStep } from './sequential-library.js';
import type { SequentialFragmentStore } from './sequential-fragment-store.js';

describeFragmentStore('Sequential', async ({ freeBytes } = {}) => {
  const small = freeBytes && { cartridges: 1, capacityBytes: freeBytes, spoolBytesMax: freeBytes };
  const fixture = await SequentialFixture.start(small || { cartridges: 1 });
  const { store } = fixture;
  // The library has one owner, so a second adapter on it cannot be had at the same time.
  return { store, reopen: () => store, fullStatus: 96, dispose: () => fixture.dispose() };
});

const TOMBSTONE_ID = '01920000-0000-7000-8000-0000000000aa';
const content = { data: patternBytes(500_000), index: patternBytes(2_000, 9) };

async function discard(store: SequentialFragmentStore, name: FragmentName): Promise<void> {
  const { fragmentId } = name;
  await store.remove(
    confirmGrant({ fragmentId, tombstoneId: TOMBSTONE_ID }, { confirmed: true })!,
    name,
  );
}

describe('A sequential fragment store', () => {
  const opened: SequentialFixture[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.dispose();
  });
  const start = async (shape: SequentialShape = {}) => {
    const fixture = await SequentialFixture.start(shape);
    opened.push(fixture);
    return fixture;
  };
  const isWhole = async (fixture: SequentialFixture, name: FragmentName) => {
    const reader = await fixture.store.open(name);
    const data = await reader.read('data', 0, content.data.length);
    const index = await reader.read('index', 0, content.index.length);
    return data.equals(content.data) && index.equals(content.index);
  };
  const gather = async ({ store }: SequentialFixture, name: FragmentName) => {
    const writer = await store.create(name);
    await writer.writeData([content.data]);
    await writer.writeIndex([content.index]);
    return writer;
  };
  const seal = (writer: FragmentWriter) => writer.seal(manifestOf(writer.name, content));
  /** Takes a cartridge out of the library. */
  const takeOut = async (fixture: SequentialFixture, barcode: string) => {
    const { library } = fixture;
    await library.desk.withChanger(async (changer) => {
      await library.desk.unload(barcode);
      const { slots } = await changer.inventory();
      await changer.export(slots.find((one) => one.barcode === barcode)!.slot);
    });
    renameSync(fixture.path('library/mail', barcode), fixture.path('shelf'));
  };
  const inSpool = (fixture: SequentialFixture, name: FragmentName, file: 'data' | 'index') =>
    fixture.path('spool', ...copyFolder(name), fileName(name, file) + PARTIAL_SUFFIX);
  const states = ({ library }: SequentialFixture) =>
    [...library.state.volumes.values()].map((one) => [one.label, volumeState(one)]);

  it('goes on where it was after a restart, on the volume that is filling', async () => {
    const fixture = await start();
    await write(fixture.store, fragmentName(1), content);
    await fixture.reopen();
    await write(fixture.store, fragmentName(2), content);
    expect(await isWhole(fixture, fragmentName(1))).toBe(true);
    expect(await isWhole(fixture, fragmentName(2))).toBe(true);
    expect(states(fixture)).toEqual([['T00001', 'filling']]);
    expect(readdirSync(fixture.path('spool/images'))).toEqual([]);
  });

  it('makes its ledger anew by reading the volumes', async () => {
    const fixture = await start();
    for (const seed of [1, 2, 3]) await write(fixture.store, fragmentName(seed), content);
    const before = await all(fixture.store);
    await fixture.close();
    rmSync(fixture.path('ledger'), { recursive: true });
    await fixture.open();
    expect(await all(fixture.store)).toEqual(before);
    expect(await isWhole(fixture, fragmentName(3))).toBe(true);
    await write(fixture.store, fragmentName(4), content);
    expect(await isWhole(fixture, fragmentName(4))).toBe(true);
  });

  it('never takes a volume for empty of which it could not read all', async () => {
    const fixture = await start({ cartridges: 1 });
    for (const seed of [1, 2]) await write(fixture.store, fragmentName(seed), content);
    await fixture.close();
    rmSync(fixture.path('ledger'), { recursive: true });
    const data = fixture.path('library/drives/001/T00001/00000001.data');
    const map = readFileSync(data.replace(/data$/, 'blocks'), 'utf8').split('\n');
    const header = Number(map[2]!.split('\t')[2]);
    const bytes = readFileSync(data);
    bytes[header + 5]! ^= 1;
    writeFileSync(data, bytes);
    await fixture.open();
    expect(states(fixture)).toEqual([['T00001', 'suspended']]);
    expect((await all(fixture.store)).map(({ name }) => name.number)).toEqual([2]);
    await discard(fixture.store, fragmentName(2));
    await fixture.store.emptyTrash(TOMBSTONE_ID);
    const [volume] = fixture.library.state.volumes.values();
    await expect(fixture.library.keeper.suspend(volume!, null)).rejects.toMatchObject({
      status: 97,
    });
    const writer = await fixture.store.create(fragmentName(3));
    await expect(writer.writeData([content.data])).rejects.toMatchObject({ status: 96 });
    await writer.abandon();
  });

  it('goes on to look over a volume where a process died over it', async () => {
    const fixture = await start({ cartridges: 1 });
    for (const seed of [1, 2]) await write(fixture.store, fragmentName(seed), content);
    const [volume] = fixture.library.state.volumes.values();
    const { barcode, volumeId, label, capacityBytes, labelledAt } = volume!;
    await fixture.close();
    rmSync(fixture.path('ledger'), { recursive: true });
    const ledger = await LibraryLedger.open(fixture.path('ledger'));
    const begun = { endPosition: 2, writtenBytes: 0, capacityBytes, full: false };
    await ledger.add(
      { type: 'LABELLED', barcode, volumeId, label, capacityBytes, labelledAt },
      { type: 'EXTENT', volumeId, ...begun, suspended: READING },
    );
    await ledger.close();
    await fixture.open();
    expect(states(fixture)).toEqual([['T00001', 'filling']]);
    expect(await isWhole(fixture, fragmentName(2))).toBe(true);
  });

  it('writes a fragment anew on the next volume when the end of the medium comes first', async () => {
    const fixture = await start({ capacityBytes: 1_300_000 });
    for (const seed of [1, 2]) await write(fixture.store, fragmentName(seed), content);
    // The ledger believes in more room than there is, as it does of a real tape.
    const [volume] = fixture.library.state.volumes.values();
    const { volumeId, endPosition, writtenBytes } = volume!;
    const more = { capacityBytes: 9_000_000, full: false, suspended: null };
    await fixture.library.ledger.add({
      ...{ type: 'EXTENT', volumeId, endPosition, writtenBytes },
      ...more,
    });
    await write(fixture.store, fragmentName(3), content);
    expect(states(fixture)).toEqual([
      ['T00001', 'full'],
      ['T00002', 'filling'],
    ]);
    for (const seed of [1, 2, 3]) expect(await isWhole(fixture, fragmentName(seed))).toBe(true);
    await fixture.close();
    rmSync(fixture.path('ledger'), { recursive: true });
    await fixture.open();
    expect((await all(fixture.store)).map(({ name }) => name.number)).toEqual([1, 2, 3]);
  });

  it('begins a volume anew when all on it is gone for good, and not before', async () => {
    const fixture = await start({ cartridges: 1, capacityBytes: 1_300_000 });
    for (const seed of [1, 2]) await write(fixture.store, fragmentName(seed), content);
    await discard(fixture.store, fragmentName(1));
    await discard(fixture.store, fragmentName(2));
    const writer = await fixture.store.create(fragmentName(3));
    await expect(writer.writeData([content.data])).rejects.toMatchObject({ status: 96 });
    await writer.abandon();
    await fixture.store.takeBack(TOMBSTONE_ID, fragmentName(2));
    expect(await isWhole(fixture, fragmentName(2))).toBe(true);
    await discard(fixture.store, fragmentName(2));
    const reader = await (async () => {
      await fixture.store.takeBack(TOMBSTONE_ID, fragmentName(1));
      const open = await fixture.store.open(fragmentName(1));
      await discard(fixture.store, fragmentName(1));
      return open;
    })();
    await fixture.store.emptyTrash(TOMBSTONE_ID);
    expect(states(fixture)).toEqual([['T00001', 'scratch']]);
    await write(fixture.store, fragmentName(4), content);
    expect(await isWhole(fixture, fragmentName(4))).toBe(true);
    // Whoever still had it open gets nothing else instead.
    await expect(reader.read('data', 0, 10)).rejects.toMatchObject({ status: 85 });
  });

  it('stays suspended where an operator said so while it was written, and what was written counts', async () => {
    const fixture = await start();
    let suspending: Promise<void> | undefined;
    fixture.onStep = (step) => {
      const [volume] = fixture.library.state.volumes.values();
      if (step === 'medium-written') suspending = fixture.library.keeper.suspend(volume!, 'worn');
    };
    await write(fixture.store, fragmentName(1), content);
    await suspending;
    fixture.onStep = () => undefined;
    expect(states(fixture)).toEqual([['T00001', 'suspended']]);
    const [volume] = fixture.library.state.volumes.values();
    expect([volume!.writing, volume!.holds.size]).toEqual([undefined, 1]);
    await write(fixture.store, fragmentName(2), content);
    await fixture.reopen();
    expect(states(fixture)).toEqual([
      ['T00001', 'suspended'],
      ['T00002', 'filling'],
    ]);
    await fixture.library.keeper.suspend(fixture.library.state.volumeOn('T00001')!, null);
    expect(await isWhole(fixture, fragmentName(1))).toBe(true);
  });

  it('asks for a volume that is not there, and reads on when somebody brings it', async () => {
    const fixture = await start({ drives: 1 });
    await write(fixture.store, fragmentName(1), content);
    await takeOut(fixture, 'T00001');
    await expect(isWhole(fixture, fragmentName(1))).rejects.toThrow('nobody brings');
    expect(await fixture.store.stat(fragmentName(1))).toMatchObject({ state: 'sealed' });
    await write(fixture.store, fragmentName(2), content);
    expect(states(fixture)).toEqual([
      ['T00001', 'filling'],
      ['T00002', 'filling'],
    ]);
    fixture.operator = async () =>
      renameSync(fixture.path('shelf'), fixture.path('library/slots/006/T00001'));
    expect(await isWhole(fixture, fragmentName(1))).toBe(true);
    expect(fixture.wanted.at(-1)).toEqual([{ barcode: 'T00001', label: 'T00001' }]);
  });

  it('has its whole spool again after seals for which nobody brought a volume', async () => {
    const fixture = await start({ cartridges: 1, spoolBytesMax: 2 * content.data.length });
    await write(fixture.store, fragmentName(1), content);
    await takeOut(fixture, 'T00001');
    for (const seed of [2, 3, 4]) {
      const writer = await gather(fixture, fragmentName(seed));
      await expect(seal(writer)).rejects.toThrow('nobody brings');
      expect(await writer.discard()).toBe(false);
      expect(await fixture.store.stat(writer.name)).toBeUndefined();
    }
    expect(readdirSync(fixture.path('spool/images'))).toEqual([]);
    fixture.operator = async () =>
      renameSync(fixture.path('shelf'), fixture.path('library/slots/006/T00001'));
    await write(fixture.store, fragmentName(5), content);
    expect(await isWhole(fixture, fragmentName(5))).toBe(true);
  });

  it('leaves in the spool what a seal still reads, whoever takes it back', async () => {
    const fixture = await start({ cartridges: 1 });
    await write(fixture.store, fragmentName(1), content);
    await takeOut(fixture, 'T00001');
    let discarded: boolean | undefined;
    const writer = await gather(fixture, fragmentName(2));
    fixture.operator = async () => {
      discarded = await writer.discard();
      renameSync(fixture.path('shelf'), fixture.path('library/slots/006/T00001'));
    };
    await seal(writer);
    expect(discarded).toBe(false);
    expect(await isWhole(fixture, fragmentName(2))).toBe(true);
  });

  it('has what reached the medium, though its seal failed and the spool gave it up', async () => {
    const fixture = await start();
    const writer = await gather(fixture, fragmentName(1));
    fixture.onStep = (step) => {
      if (step === 'medium-marked') throw new Error('died');
    };
    await expect(seal(writer)).rejects.toThrow('died');
    expect(await writer.discard()).toBe(false);
    await fixture.reopen();
    expect(await isWhole(fixture, fragmentName(1))).toBe(true);
  });

  it.each(['data', 'index'] as const)(
    'writes no fragment whose %s the disk of the spool has lost',
    async (file) => {
      const fixture = await start({ cartridges: 1 });
      await write(fixture.store, fragmentName(1), content);
      const writer = await gather(fixture, fragmentName(2));
      // As where a write-back fails: the page is gone, and the disk has a hole.
      const spooled = openSync(inSpool(fixture, fragmentName(2), file), 'r+');
      writeSync(spooled, Buffer.alloc(1_000), 0, 1_000, 500);
      closeSync(spooled);
      await expect(seal(writer)).rejects.toMatchObject({
        name: 'VolumeWriteFailed',
        status: 84,
        message: expect.stringMatching(`/spool: .* has ${file} in the spool with another digest`),
      });
      await writer.discard();
      await write(fixture.store, fragmentName(3), content);
      await fixture.reopen();
      expect(states(fixture)).toEqual([['T00001', 'filling']]);
      expect((await all(fixture.store)).map(({ name }) => name.number)).toEqual([1, 3]);
      for (const seed of [1, 3]) expect(await isWhole(fixture, fragmentName(seed))).toBe(true);
    },
  );

  it('reads two volumes in turn with one drive, and writes beside that', async () => {
    const fixture = await start({ drives: 1, capacityBytes: 600_000 });
    for (const seed of [1, 2]) await write(fixture.store, fragmentName(seed), content);
    const done = await Promise.all([
      isWhole(fixture, fragmentName(1)),
      isWhole(fixture, fragmentName(2)),
      write(fixture.store, fragmentName(3), content).then(() => true),
      isWhole(fixture, fragmentName(1)),
    ]);
    expect(done).toEqual([true, true, true, true]);
  });

  it('writes with both drives at once, each to a volume of its own', async () => {
    const fixture = await start();
    const seeds = [1, 2, 3, 4];
    await Promise.all(seeds.map((seed) => write(fixture.store, fragmentName(seed), content)));
    expect(
      states(fixture)
        .map(([label]) => label)
        .sort(),
    ).toEqual(['T00001', 'T00002']);
    for (const seed of seeds) expect(await isWhole(fixture, fragmentName(seed))).toBe(true);
  });

  it('neither writes nor reads a cartridge that was changed for another one', async () => {
    const fixture = await start();
    await write(fixture.store, fragmentName(1), content);
    await fixture.close();
    const other = await start({ pool: 'other' });
    await write(other.store, fragmentName(1), content);
    await other.close();
    const place = ({ path }: { path: string }) =>
      ['drives/001', 'drives/002', 'slots/001']
        .map((one) => join(path, 'library', one, 'T00001'))
        .find((one) => existsSync(one))!;
    const [ours, theirs] = [place(fixture.folder), place(other.folder)];
    renameSync(ours, fixture.path('ours'));
    renameSync(theirs, ours);
    await fixture.open();
    await other.open();
    await expect(isWhole(fixture, fragmentName(1))).rejects.toMatchObject({ status: 93 });
    await write(fixture.store, fragmentName(2), content);
    expect(states(fixture)).toEqual([
      ['T00001', 'suspended'],
      ['T00002', 'filling'],
    ]);
  });

  it('passes over a cartridge that cannot be opened, and calls what is on it unreadable', async () => {
    const fixture = await start({ drives: 1 });
    await write(fixture.store, fragmentName(1), content);
    await fixture.close();
    const map = fixture.path('library/drives/001/T00001/00000001.blocks');
    const lines = readFileSync(map, 'utf8').split('\n');
    writeFileSync(map, [lines[0], ...lines.slice(2)].join('\n'));
    await fixture.open();
    const reader = await fixture.store.open(fragmentName(1));
    await expect(reader.read('data', 0, 10)).rejects.toMatchObject({ status: 85 });
    await write(fixture.store, fragmentName(2), content);
    expect(await isWhole(fixture, fragmentName(2))).toBe(true);
    expect(states(fixture)).toEqual([
      ['T00001', 'suspended'],
      ['T00002', 'filling'],
    ]);
  });

  it.each([
    ['medium-written', 'partial'],
    ['medium-marked', 'sealed'],
    ['position-journalled', 'sealed'],
  ] as const)('that dies at "%s" has the fragment as %s', async (at: LibraryStep, state) => {
    const fixture = await start();
    await write(fixture.store, fragmentName(1), content);
    fixture.onStep = (step) => {
      if (step === at) throw new Error('died');
    };
    await expect(write(fixture.store, fragmentName(2), content)).rejects.toThrow('died');
    fixture.onStep = () => undefined;
    await fixture.reopen();
    expect(await fixture.store.stat(fragmentName(2))).toMatchObject({ state });
    await write(fixture.store, fragmentName(3), content);
    expect(await isWhole(fixture, fragmentName(1))).toBe(true);
    if (state === 'sealed') expect(await isWhole(fixture, fragmentName(2))).toBe(true);
    expect(await isWhole(fixture, fragmentName(3))).toBe(true);
    expect(states(fixture)).toEqual([['T00001', 'filling']]);
  });
});
