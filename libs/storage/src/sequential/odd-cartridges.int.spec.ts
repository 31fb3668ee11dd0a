import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import { confirmGrant } from '../confirmed-grant.js';
import type { FragmentName } from '../fragment-name.js';
import { volumeState } from '../library-books/library-state.js';
import { fragmentName, manifestOf, patternBytes, write } from '../testing/fragments.js';
import { SequentialFixture, type SequentialShape } from '../testing/sequential-fixture.js';

const content = { data: patternBytes(50_000), index: patternBytes(2_000, 9) };
const TOMBSTONE_ID = '01920000-0000-7000-8000-0000000000aa';

describe('A library with a cartridge that is not as it should be', () => {
  const opened: SequentialFixture[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.dispose();
  });
  const start = async (shape: SequentialShape = {}) => {
    const fixture = await SequentialFixture.start({ drives: 1, ...shape });
    opened.push(fixture);
    return fixture;
  };
  const isWhole = async ({ store }: SequentialFixture, name: FragmentName) => {
    const reader = await store.open(name);
    return (await reader.read('data', 0, content.data.length)).equals(content.data);
  };
  const states = ({ library }: SequentialFixture) =>
    [...library.state.volumes.values()].map((one) => [one.label, volumeState(one)]);
  const discard = async ({ store }: SequentialFixture, name: FragmentName) => {
    const removal = { fragmentId: name.fragmentId, tombstoneId: TOMBSTONE_ID };
    await store.remove(confirmGrant(removal, { confirmed: true })!, name);
    await store.emptyTrash(TOMBSTONE_ID);
  };
  const IN_DRIVE = 'library/drives/001/T00001';
  const spoil = (path: string, at: number) => {
    const bytes = readFileSync(path);
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
  };
  const losesLedger = ({ path }: { path: (...names: string[]) => string }) =>
    rmSync(path('ledger'), { recursive: true });

  it('writes to another one when the label cannot be read, and sets it aside', async () => {
    const fixture = await start();
    await write(fixture.store, fragmentName(1), content);
    await fixture.close();
    spoil(fixture.path(IN_DRIVE, '00000001.data'), 5);
    await fixture.open();
    await expect(isWhole(fixture, fragmentName(1))).rejects.toMatchObject({ status: 85 });
    await write(fixture.store, fragmentName(2), content);
    expect(await isWhole(fixture, fragmentName(2))).toBe(true);
    expect(states(fixture)).toEqual([
      ['T00001', 'suspended'],
      ['T00002', 'filling'],
    ]);
    await fixture.close();
    losesLedger({ path: (...names) => fixture.path(...names) });
    await fixture.open();
    expect(fixture.library.state.others.get('T00001')).toMatchObject({ kind: 'foreign' });
  });

  it.each([
    ['its data file is gone', (path: string) => rmSync(join(path, '00000001.data'))],
    [
      'its cartridge.json is cut off',
      (path: string) => truncateSync(join(path, 'cartridge.json'), 9),
    ],
  ])('writes to another one when %s, and opens without it', async (_, damage) => {
    const fixture = await start();
    await write(fixture.store, fragmentName(1), content);
    await fixture.close();
    damage(fixture.path(IN_DRIVE));
    await fixture.open();
    await expect(isWhole(fixture, fragmentName(1))).rejects.toMatchObject({ status: 85 });
    await write(fixture.store, fragmentName(2), content);
    expect(states(fixture)[0]).toEqual(['T00001', 'suspended']);
    await fixture.close();
    losesLedger({ path: (...names) => fixture.path(...names) });
    await fixture.open();
    expect(fixture.library.state.others.get('T00001')).toMatchObject({ kind: 'foreign' });
  });

  it('writes to another one when one cannot be labelled', async () => {
    const fixture = await start({ cartridges: 2 });
    const [place] = ['drives/001', 'slots/001'].filter((one) =>
      existsSync(fixture.path('library', one, 'T00001')),
    );
    mkdirSync(fixture.path('library', place!, 'T00001/00000001.blocks.partial'));
    await write(fixture.store, fragmentName(1), content);
    expect(states(fixture)).toEqual([['T00002', 'filling']]);
    const { kind, reason } = fixture.library.state.others.get('T00001')!;
    expect([kind, reason]).toEqual(['foreign', expect.stringContaining('media write error')]);
  });

  it('uses the one that was put into a drive by hand, not the one that it still had open', async () => {
    const fixture = await start();
    await write(fixture.store, fragmentName(1), content);
    const place = (name: string) => fixture.path('library', name);
    renameSync(place('drives/001/T00001'), place('slots/001/T00001'));
    renameSync(place('slots/002/T00002'), place('drives/001/T00002'));
    await fixture.library.desk.withChanger((changer) => changer.inventory());
    await fixture.library.keeper.suspend([...fixture.library.state.volumes.values()][0]!, 'worn');
    await write(fixture.store, fragmentName(2), content);
    expect(states(fixture)).toEqual([
      ['T00001', 'suspended'],
      ['T00002', 'filling'],
    ]);
    expect(await isWhole(fixture, fragmentName(1))).toBe(true);
    expect(await isWhole(fixture, fragmentName(2))).toBe(true);
  });

  it('overwrites nothing where a cartridge comes back by hand into a drive that had it open', async () => {
    const fixture = await start({ drives: 2, cartridges: 1 });
    const move = async (from: string, to: string) => {
      const place = (where: string) => fixture.path('library', where, 'T00001');
      renameSync(place(from), place(to));
      await fixture.library.desk.withChanger((changer) => changer.inventory());
    };
    const writes = (seed: number) =>
      write(fixture.store, fragmentName(seed), { ...content, data: patternBytes(50_000, seed) });
    await writes(1);
    await move('drives/001', 'drives/002');
    await writes(2);
    await move('drives/002', 'drives/001');
    await writes(3);
    for (const seed of [1, 2, 3]) {
      const reader = await fixture.store.open(fragmentName(seed));
      const data = await reader.read('data', 0, 50_000);
      expect(data.equals(patternBytes(50_000, seed))).toBe(true);
    }
    expect(states(fixture)).toEqual([['T00001', 'filling']]);
  });

  it('takes no cartridge for another one because its folder was renamed', async () => {
    const fixture = await start();
    await write(fixture.store, fragmentName(1), content);
    await fixture.close();
    renameSync(fixture.path(IN_DRIVE), fixture.path('library/drives/001/T00009'));
    await fixture.open();
    const other = fixture.library.state.others.get('T00009');
    expect(other).toMatchObject({ kind: 'foreign', reason: expect.stringContaining('T00001') });
    await write(fixture.store, fragmentName(2), content);
    expect(states(fixture)[1]).toEqual(['T00002', 'filling']);
  });

  it('begins no volume anew on which there is more than its ledger knows: that may be an old one', async () => {
    const fixture = await start({ cartridges: 1 });
    await write(fixture.store, fragmentName(1), content);
    await fixture.close();
    cpSync(fixture.path('ledger'), fixture.path('saved'), { recursive: true });
    await fixture.open();
    await write(fixture.store, fragmentName(2), content);
    await fixture.close();
    rmSync(fixture.path('ledger'), { recursive: true });
    cpSync(fixture.path('saved'), fixture.path('ledger'), { recursive: true });
    await fixture.open();
    await discard(fixture, fragmentName(1));
    expect(states(fixture)).toEqual([['T00001', 'scratch']]);
    await write(fixture.store, fragmentName(3), content);
    expect(await isWhole(fixture, fragmentName(2))).toBe(true);
    expect(await isWhole(fixture, fragmentName(3))).toBe(true);
  });

  it('writes nothing behind the end of a volume that ends before its ledger says', async () => {
    const fixture = await start();
    for (const seed of [1, 2]) await write(fixture.store, fragmentName(seed), content);
    await fixture.close();
    const map = fixture.path(IN_DRIVE, '00000001.blocks');
    const lines = readFileSync(map, 'utf8').split('\n');
    writeFileSync(map, `${lines.slice(0, 7).join('\n')}\n`);
    await fixture.open();
    await write(fixture.store, fragmentName(3), content);
    expect(await isWhole(fixture, fragmentName(1))).toBe(true);
    expect(await isWhole(fixture, fragmentName(3))).toBe(true);
    await expect(isWhole(fixture, fragmentName(2))).rejects.toMatchObject({ status: 85 });
    expect(states(fixture)).toEqual([
      ['T00001', 'suspended'],
      ['T00002', 'filling'],
    ]);
  });

  it('takes no cartridge for blank that holds a very small fragment, and whose map is lost', async () => {
    const fixture = await start({ cartridges: 1 });
    const small = { data: patternBytes(100), index: patternBytes(50, 9) };
    await write(fixture.store, fragmentName(1), small);
    await fixture.close();
    rmSync(fixture.path('ledger'), { recursive: true });
    rmSync(fixture.path(IN_DRIVE, '00000001.blocks'));
    const before = readFileSync(fixture.path(IN_DRIVE, '00000001.data'));
    await fixture.open();
    expect(fixture.library.state.others.get('T00001')).toMatchObject({ kind: 'foreign' });
    await write(fixture.store, fragmentName(2), small).catch(() => undefined);
    expect(readFileSync(fixture.path(IN_DRIVE, '00000001.data')).equals(before)).toBe(true);
  });

  it('has nothing on it but what was finished, also for a script', async () => {
    const fixture = await start({ cartridges: 1 });
    const of = (seed: number) => ({ ...content, data: patternBytes(50_000, seed) });
    await write(fixture.store, fragmentName(1), of(1));
    fixture.onStep = (step) => {
      if (step === 'medium-marked') throw new Error('died');
    };
    await expect(write(fixture.store, fragmentName(2), of(2))).rejects.toThrow('died');
    fixture.onStep = () => undefined;
    await fixture.close();
    // As if the last write to the map had been torn.
    const map = fixture.path(IN_DRIVE, '00000001.blocks');
    const lines = readFileSync(map, 'utf8').split('\n');
    writeFileSync(map, `${lines.slice(0, -3).join('\n')}\n`);
    await fixture.open();
    expect(await fixture.store.stat(fragmentName(2))).toMatchObject({ state: 'partial' });
    const again = fragmentName(3, { number: 2 });
    await write(fixture.store, again, of(3));
    expect(readFileSync(map, 'utf8').split('mark').length - 1).toBe(4);
    const script = fileURLToPath(new URL('../../../../docs/read-cartridge.sh', import.meta.url));
    const args = [script, again.imageId, '1', fixture.path(IN_DRIVE)];
    const { stdout } = spawnSync('sh', args, { maxBuffer: 1_000_000 });
    expect(stdout.equals(Buffer.concat([of(1).data, of(3).data]))).toBe(true);
  });

  it('does not take a fragment for written of which the spool has lost a part', async () => {
    const fixture = await start();
    const writer = await fixture.store.create(fragmentName(1));
    await writer.writeData([content.data]);
    await writer.writeIndex([content.index]);
    const folder = fixture.path('spool/images/web1_1790000000/c1');
    const [data] = readdirSync(folder).filter((name) => !name.includes('.i'));
    truncateSync(join(folder, data!), 10_000);
    const sealing = writer.seal(manifestOf(fragmentName(1), content));
    await expect(sealing).rejects.toMatchObject({ status: 84 });
    await writer.abandon();
    expect(await fixture.store.stat(fragmentName(1))).toMatchObject({ state: 'partial' });
    await write(fixture.store, fragmentName(2), content);
    expect(await isWhole(fixture, fragmentName(2))).toBe(true);
    expect(states(fixture)).toEqual([['T00001', 'filling']]);
  });

  it('opens again where a process died while it made a cartridge', async () => {
    const fixture = await start({ cartridges: 0 });
    const partial = fixture.path('library/slots/001/.T00001.partial');
    mkdirSync(partial);
    writeFileSync(join(partial, 'cartridge.json'), '');
    await fixture.changer.addCartridge(1, { barcode: 'T00001', capacityBytes: 1_000_000 });
    await write(fixture.store, fragmentName(1), content).catch(() => undefined);
    const { slots } = await fixture.changer.inventory();
    expect(slots[0]).toEqual({ slot: 1, barcode: 'T00001' });
  });

  it('is opened with one that nobody can mount, since no slot is empty, and finds it later', async () => {
    const fixture = await start({ cartridges: 6 });
    await write(fixture.store, fragmentName(1), content);
    // The slot from which the first one went into the drive is given to another.
    await fixture.changer.addCartridge(1, { barcode: 'T00009', capacityBytes: 1024 * 1024 });
    await fixture.reopen();
    expect(fixture.said.join()).toMatch(/T00009 could not be looked at: .*no empty slot/);
    expect(fixture.library.state.isKnown('T00009')).toBe(false);
    expect(await isWhole(fixture, fragmentName(1))).toBe(true);
    await write(fixture.store, fragmentName(2), content);
    renameSync(fixture.path('library/slots/002/T00002'), fixture.path('T00002'));
    await fixture.reopen();
    expect(fixture.library.state.isKnown('T00009')).toBe(true);
  });
});
