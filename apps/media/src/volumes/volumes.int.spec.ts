import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SystemClock } from '#kernel/clock.js';
import type { Manifest } from '#archive/manifest.js';
import { confirmGrant } from '#storage/confirmed-grant.js';
import type { FragmentName } from '#storage/fragment-name.js';
import { Journal } from '#storage/journal/journal.js';
import {
  smallVolume,
  takeAllRoom,
  testFolder,
  type TestFolder,
} from '#storage/testing/small-volume.js';
import { journalRecord, type JournalRecord } from '../domain/journal-record.js';
import { TestMediaServer } from '../testing/media-server.js';
import { sampleManifest } from '../testing/sample-manifest.js';
import type { VolumeKind } from './store-kind.js';
import type { Volume } from './volume.js';
import { Volumes } from './volumes.js';

const sealed = (number: number): JournalRecord => ({
  type: 'SEALED',
  manifest: sampleManifest(number),
  sealedAt: '2026-11-01T00:00:00.000Z',
});

/** Writes each record into a segment of its own, so that the journal is due for being condensed. */
async function appendTo(volume: string, records: readonly JournalRecord[]): Promise<void> {
  const journal = await Journal.open<JournalRecord>({
    folder: join(volume, 'journal'),
    parse: (value) => journalRecord.parse(value),
    onRecord: () => {},
    segmentBytesMax: 1,
  });
  for (const record of records) await journal.append(record);
  await journal.close();
}

describe('The volumes of a media server', () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = testFolder();
  });
  afterEach(() => folder.dispose());

  const open = (names: readonly string[], mediaId = 'media1') =>
    Volumes.open({
      mediaId,
      volumes: names.map((name) => ({ path: join(folder.path, name), pool: 'disk' })),
      volumeReserveBytes: 0,
      clock: new SystemClock(),
    });

  it('are made of new folders and keep their identity', async () => {
    const first = await open(['a', 'b']);
    const ids = [...first].map(({ volumeId }) => volumeId);
    await first.close();
    const again = await open(['a', 'b']);
    expect([...again].map(({ volumeId }) => volumeId)).toEqual(ids);
    await again.close();
    expect(JSON.parse(readFileSync(join(folder.path, 'a/volume.json'), 'utf8'))).toMatchObject({
      version: 1,
      mediaId: 'media1',
    });
  });

  it('are not opened for another media server, nor twice, nor as a copy', async () => {
    const first = await open(['a']);
    await expect(open(['a'])).rejects.toMatchObject({
      status: 83,
      message: expect.stringMatching(/this media server has it open already/),
    });
    await first.close();
    await expect(open(['a'], 'media2')).rejects.toThrow(
      /belongs to media server "media1", this one is "media2"\. Start this one as "media1" \(--media-id, .*--data\)/,
    );
    cpSync(join(folder.path, 'a'), join(folder.path, 'b'), { recursive: true });
    const copied = open(['0', 'a', 'b', 'c']);
    await expect(copied).rejects.toThrow(/volume \S+\/b cannot.* as \S+\/a: one.*one of them only/);
    await expect(copied).rejects.not.toThrow(/\/[0c]\b/);
    await (await open(['a'])).close();
  });

  it('write down a fragment that was sealed just before the process died', async () => {
    const volumes = await open(['a']);
    const [volume] = [...volumes];
    const manifest = { ...sampleManifest(1), storedBytes: 4, indexBytes: 0 };
    const { fragmentId, imageId, copy, number, attempt } = manifest;
    await volume!.ledger.intent({ fragmentId, imageId, copy, number, attempt });
    const writer = await volume!.store.create({ fragmentId, imageId, copy, number });
    await writer.writeData([Buffer.from('data')]);
    await writer.seal(manifest);
    await volumes.close();
    const again = await open(['a']);
    expect(again.volumeOf(fragmentId)?.ledger.find(fragmentId)).toMatchObject({
      phase: 'SEALED',
      manifest,
    });
    await again.close();
  });

  it('count what a process that died has begun and not sealed', async () => {
    const volumes = await open(['a', 'b']);
    const [volume] = [...volumes];
    const { fragmentId, imageId, copy, number, attempt } = sampleManifest(1);
    await volume!.ledger.intent({ fragmentId, imageId, copy, number, attempt });
    const writer = await volume!.store.create({ fragmentId, imageId, copy, number });
    await writer.writeData([Buffer.from('data')]);
    await writer.abandon();
    await volumes.close();
    const again = await open(['a', 'b']);
    expect([...again].map(({ leftovers }) => leftovers)).toEqual([
      { fragments: 1, bytes: 4 },
      { fragments: 0, bytes: 0 },
    ]);
    await again.close();
  });

  it('are opened where there is no room to condense a journal', async () => {
    const small = smallVolume(1024 * 1024);
    if (!small) return;
    try {
      const openSmall = () =>
        Volumes.open({
          mediaId: 'media1',
          volumes: [{ path: small.path, pool: 'disk' }],
          volumeReserveBytes: 0,
          clock: new SystemClock(),
        });
      await (await openSmall()).close();
      await appendTo(
        small.path,
        [1, 2, 3, 4, 5, 6].map((number) => sealed(number)),
      );
      takeAllRoom(small.path);
      const volumes = await openSmall();
      expect([...volumes][0]!.ledger.size).toBe(6);
      expect(readdirSync(join(small.path, 'journal'))).not.toContain('snapshot.log.partial');
      await volumes.close();
    } finally {
      small.dispose();
    }
  });

  it('forget what was given up, and what is removed, reported and out of the trash', async () => {
    await (await open(['a'])).close();
    const [begun, gone, unreported, whole] = [1, 2, 3, 4].map(sampleManifest) as [
      Manifest,
      ...Manifest[],
    ];
    const removedRecords = ({ fragmentId }: Manifest): JournalRecord[] => [
      { type: 'CONDEMNED', fragmentId, tombstoneId },
      { type: 'REMOVED', fragmentId, tombstoneId },
    ];
    const tombstoneId = '01920000-0000-7000-8000-0000000000ff';
    const { fragmentId, imageId, copy, number, attempt } = begun;
    await appendTo(join(folder.path, 'a'), [
      { type: 'INTENT', fragmentId, imageId, copy, number, attempt },
      ...[gone!, unreported!, whole!].map(({ number: sealedAs }) => sealed(sealedAs)),
      ...[gone!, unreported!].flatMap(removedRecords),
      { type: 'REPORTED', fragmentId: gone!.fragmentId },
    ]);
    for (const times of [1, 2]) {
      const volumes = await open(['a']);
      const known = [...[...volumes][0]!.ledger.all()].map(([id]) => id).sort();
      expect([times, known]).toEqual([times, [unreported!.fragmentId, whole!.fragmentId]]);
      await volumes.close();
      const text = readFileSync(join(folder.path, 'a/journal/snapshot.log'), 'latin1');
      for (const { fragmentId: id } of [begun, gone!]) expect(text).not.toContain(id);
      for (const { fragmentId: id } of [unreported!, whole!]) expect(text).toContain(id);
    }
  });

  describe('that deduplicate', () => {
    const openAs = (kind: VolumeKind) =>
      Volumes.open({
        mediaId: 'media1',
        volumes: [{ path: join(folder.path, 'a'), pool: 'disk', kind }],
        volumeReserveBytes: 0,
        clock: new SystemClock(),
      });
    const identity = () => JSON.parse(readFileSync(join(folder.path, 'a/volume.json'), 'utf8'));

    it('say so on the disk, and are not opened as any other', async () => {
      const volumes = await openAs('chunks');
      expect([...volumes][0]!.shares).toBe(true);
      expect([...volumes][0]!.store.chunks).toBeDefined();
      await volumes.close();
      expect(identity()).toMatchObject({ version: 1, mediaId: 'media1', kind: 'chunks' });
      await expect(openAs('directory')).rejects.toMatchObject({
        status: 83,
        message: expect.stringMatching(/it deduplicates.*Name it as disk=dedup:\//),
      });
      await (await openAs('chunks')).close();
    });

    it('are not made of one that does not', async () => {
      const volumes = await openAs('directory');
      expect([...volumes][0]!.store.chunks).toBeUndefined();
      await volumes.close();
      expect(identity()).not.toHaveProperty('kind');
      await expect(openAs('chunks')).rejects.toThrow(/does not deduplicate.*new folder/);
      expect(readdirSync(join(folder.path, 'a'))).not.toContain('chunks');
    });

    it('write down a fragment that was sealed just before the process died', async () => {
      const volumes = await openAs('chunks');
      const [volume] = [...volumes];
      const manifest = { ...sampleManifest(1), storedBytes: 4, indexBytes: 0 };
      const { fragmentId, imageId, copy, number, attempt } = manifest;
      await volume!.ledger.intent({ fragmentId, imageId, copy, number, attempt });
      const writer = await volume!.store.create({ fragmentId, imageId, copy, number });
      await writer.writeData([Buffer.from('data')]);
      await writer.seal(manifest);
      await volumes.close();
      const again = await openAs('chunks');
      const state = again.volumeOf(fragmentId)?.ledger.find(fragmentId);
      expect(state).toMatchObject({ phase: 'SEALED', manifest });
      await again.close();
    });

    it('finish a way to the trash, or back, that a crash has cut', async () => {
      let volumes = await openAs('chunks');
      let [volume] = [...volumes];
      const name = await sealOne(volume!, 1);
      const tombstoneId = '01920000-0000-7000-8000-0000000000aa';
      await volume!.ledger.condemned(name.fragmentId, tombstoneId);
      await volume!.store.remove(
        confirmGrant({ ...name, tombstoneId }, { confirmed: true })!,
        name,
      );
      await volumes.close();
      volumes = await openAs('chunks');
      [volume] = [...volumes];
      expect(volume!.ledger.find(name.fragmentId)).toMatchObject({ phase: 'REMOVED' });
      await volume!.ledger.takenBack(name.fragmentId);
      await volumes.close();
      volumes = await openAs('chunks');
      [volume] = [...volumes];
      expect(await volume!.store.stat(name)).toMatchObject({ state: 'sealed' });
      await volumes.close();
    });

    it('keep orphans after their references were lost, until the catalog has given its word', async () => {
      let volumes = await openAs('chunks');
      const name = await sealOne([...volumes][0]!, 1);
      await volumes.close();
      rmSync(join(folder.path, 'a/chunks/references'), { recursive: true });
      volumes = await openAs('chunks');
      let [volume] = [...volumes];
      const before = volume!.orphanDoubt!;
      expect(before.volumeId).toBe(volume!.volumeId);
      await expect(volume!.collect({})).rejects.toThrow(/catalog has not said/);
      await volumes.close();
      volumes = await openAs('chunks');
      volume = [...volumes][0];
      // What was compared was the volume as it was opened before.
      expect(await volume!.releaseOrphans(before)).toBe(false);
      const now = volume!.orphanDoubt!;
      const elsewhere = { ...now, volumeId: before.doubtId };
      expect(await volume!.releaseOrphans(elsewhere)).toBe(false);
      expect(volume!.orphanDoubt).toEqual(now);
      expect(await volume!.releaseOrphans(now)).toBe(true);
      expect(await volume!.releaseOrphans(now)).toBe(false);
      expect(await volume!.collect({})).toMatchObject({ damaged: [] });
      const reader = await volume!.store.open(name);
      expect((await reader.read('data', 0, 4)).toString()).toBe('data');
      await reader.close();
      await volumes.close();
    });

    async function sealOne(volume: Volume, number: number): Promise<FragmentName> {
      const manifest = { ...sampleManifest(number), storedBytes: 4, indexBytes: 0 };
      const { fragmentId, imageId, copy, attempt } = manifest;
      const name = { fragmentId, imageId, copy, number };
      await volume.ledger.intent({ ...name, attempt });
      const writer = await volume.store.create(name);
      await writer.writeData([Buffer.from('data')]);
      await writer.seal(manifest);
      await volume.ledger.sealed(manifest, new Date().toISOString());
      return name;
    }
  });

  describe('and libraries', () => {
    const path = () => join(folder.path, 'a');
    const start = async (isLibrary: boolean, kind: VolumeKind = 'directory') => {
      const media = await TestMediaServer.start({ folder: path(), isLibrary, kind });
      await media.stop();
    };
    const identity = () => JSON.parse(readFileSync(join(path(), 'volume.json'), 'utf8'));
    /** As earlier releases wrote it. */
    const forgetsKind = () => {
      const { kind: _, ...rest } = identity();
      writeFileSync(join(path(), 'volume.json'), JSON.stringify(rest));
    };

    it('are not taken for each other: a library is no volume', async () => {
      await start(true);
      expect(identity()).toMatchObject({ version: 1, kind: 'library' });
      const refusal = {
        status: 83,
        message: expect.stringMatching(/is a library.*--library disk=\//),
      };
      await expect(start(false)).rejects.toMatchObject(refusal);
      forgetsKind();
      await expect(start(false)).rejects.toMatchObject(refusal);
      await expect(start(false, 'chunks')).rejects.toMatchObject(refusal);
      rmSync(join(path(), 'volume.json'));
      await expect(start(false)).rejects.toMatchObject(refusal);
      await start(true);
    });

    it.each(['directory', 'chunks'] as const)('a %s volume is no library', async (kind) => {
      await start(false, kind);
      mkdirSync(join(path(), 'images'), { recursive: true });
      const refusal = { status: 83, message: expect.stringMatching(/cannot become a library/) };
      await expect(start(true)).rejects.toMatchObject(refusal);
      expect(readdirSync(path())).not.toContain('library');
      await start(false, kind);
    });

    it('of an earlier release go on', async () => {
      await start(true);
      forgetsKind();
      await start(true);
    });
  });

  it('are chosen among those that are there', async () => {
    const volumes = await open(['a', 'b']);
    const [first, second] = [...volumes];
    renameSync(first!.path, `${first!.path}.away`);
    expect(await volumes.roomiest('disk')).toBe(second);
    await expect(first!.room()).rejects.toMatchObject({ status: 83 });
    // As where something else was mounted there.
    execFileSync('mkdir', [first!.path]);
    expect(await volumes.roomiest('disk')).toBe(second);
    renameSync(second!.path, `${second!.path}.away`);
    await expect(volumes.roomiest('disk')).rejects.toThrow(/of pool "disk" is not there: see .*a /);
    await volumes.close();
  });

  it('are chosen by pool and room', async () => {
    const volumes = await open(['a', 'b']);
    expect((await volumes.roomiest('disk')).pool).toBe('disk');
    await expect(volumes.roomiest('tape')).rejects.toMatchObject({ status: 213 });
    await volumes.close();
  });
});
