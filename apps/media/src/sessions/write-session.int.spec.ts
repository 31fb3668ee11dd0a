import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';
import type { StoredFragment } from '#storage/fragment-store.js';
import { smallVolume, testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { until } from '../../../../test/support/until.js';
import { MemoryCatalog } from '../testing/memory-catalog.js';
import { SAMPLE_DETAILS, TestMediaServer } from '../testing/media-server.js';
import {
  sampleBackup,
  sendBackup,
  sendContent,
  sendFrame,
  totalsOf,
  type SampleFragment,
} from '../testing/sample-backup.js';

const SHAPE = { fragments: 3, framesEach: 4, frameBytes: 100_000 };

describe('A session that writes a copy', () => {
  let folder: TestFolder;
  let media: TestMediaServer;
  let backup: SampleFragment[];
  beforeAll(async () => {
    backup = await sampleBackup(SHAPE);
  });
  beforeEach(async () => {
    folder = testFolder();
    media = await TestMediaServer.start({ folder: folder.path });
  });
  afterEach(async () => {
    await media.stop();
    expect(media.bugs).toEqual([]);
    folder.dispose();
  });

  const stored = async () => {
    const found: StoredFragment[] = [];
    for (const volume of media.volumes) {
      for await (const one of volume.store.list()) found.push(one);
    }
    return found;
  };
  const copyFolder = () => join(folder.path, 'images/web1_1790000000/c1');

  it('is DONE when the catalog has committed every fragment, and they hold the archive', async () => {
    const { writer, outcome } = await media.write();
    await sendBackup(writer, backup);
    expect(await outcome).toMatchObject({ status: 0, fragments: 3, totals: { files: 3 } });
    expect(media.catalog.committed.size).toBe(3);
    expect(media.offers.open).toBe(0);
    expect(media.volumes.countByState()).toEqual({ COMMITTED: 3 });
    const data = readdirSync(copyFolder()).filter((name) => name.endsWith('.tar.zst'));
    const whole = execFileSync('sh', ['-c', `cat *.tar.zst > all && wc -c < all`], {
      cwd: copyFolder(),
      encoding: 'utf8',
    });
    expect(Number(whole)).toBe((await outcome).storedBytes);
    expect(data.map((name) => Number(name.slice(0, 5)))).toEqual([1, 2, 3]);
  });

  it('writes manifests that say what lies beside them', async () => {
    const { writer } = await media.write();
    await sendBackup(writer, backup);
    let archiveOffset = 0;
    for (const [index, found] of (await stored()).entries()) {
      const { archive, claim } = backup[index]!;
      if (found.state !== 'sealed') throw new Error(`fragment ${index + 1} is ${found.state}`);
      const base = `0000${index + 1}-${found.name.fragmentId}`;
      const data = readFileSync(join(copyFolder(), `${base}.tar.zst`));
      const lines = readFileSync(join(copyFolder(), `${base}.idx.zst`));
      expect(found.manifest).toMatchObject({
        ...{ number: index + 1, archiveOffset, archiveBytes: archive.length, frames: 4 },
        ...{ storedBytes: data.length, digest: blake3(data).toString('hex') },
        ...{ indexBytes: lines.length, indexDigest: blake3(lines).toString('hex') },
        ...{ attempt: 1, client: 'web1', policy: 'daily', kind: 'full', last: claim.last },
      });
      expect(found.manifest.files).toBe(claim.last ? 3 : undefined);
      expect(media.catalog.committed.get(found.name.fragmentId)).toMatchObject({
        ...{ mediaId: 'media1', pool: 'disk', digest: found.manifest.digest, last: claim.last },
      });
      archiveOffset += archive.length;
    }
  });

  it('puts what a rebuilt catalog needs into the last manifest, and not into the journal', async () => {
    const { writer } = await media.write();
    await sendBackup(writer, backup);
    const details = (await stored()).map((one) => one.state === 'sealed' && one.manifest.image);
    expect(details).toEqual([undefined, undefined, SAMPLE_DETAILS]);
    for (const volume of media.volumes) {
      for (const [, state] of volume.ledger.all())
        expect(state).not.toHaveProperty('manifest.image');
    }
  });

  it.each([
    ['before a fragment is begun', 0],
    ['while one is written', 1],
  ])('ends with 83 where its disk is unmounted %s, and writes nothing beside it', async (_, at) => {
    const small = smallVolume(32 * 1024 * 1024);
    if (!small) return;
    const there = await TestMediaServer.start({ folder: small.path });
    try {
      const { writer, outcome } = await there.write();
      await sendContent(writer, backup[0]!);
      await writer.seal(backup[0]!.claim);
      if (at === 1) await sendContent(writer, backup[1]!);
      const begun = () =>
        readdirSync(small.path, { recursive: true }).filter((name) =>
          /00002.*partial$/.test(`${name}`),
        );
      // Data and index: from then on it is open.
      if (at === 1) await until(() => begun().length > 1);
      execFileSync('umount', ['--lazy', small.path]);
      const rest = async () => {
        if (at === 0) await sendContent(writer, backup[1]!);
        await writer.seal(backup[1]!.claim);
      };
      await expect(rest()).rejects.toMatchObject({ status: 83 });
      expect(await outcome).toMatchObject({ status: 83, fragments: 1 });
      expect(readdirSync(small.path)).toEqual([]);
    } finally {
      await there.stop();
      rmSync(small.path, { recursive: true });
    }
  });

  it('goes on behind what earlier attempts have committed, and waits for its own only', async () => {
    const first = await media.write();
    await sendContent(first.writer, backup[0]!);
    await first.writer.seal(backup[0]!.claim);
    first.writer.close();
    const resume = { nextNumber: 2, archiveOffset: backup[0]!.archive.length };
    const { writer, outcome } = await media.write({ attempt: 2, resume });
    expect(writer.ready).toMatchObject({ nextFragment: 2, archiveOffset: resume.archiveOffset });
    media.catalog.judge = ({ number }) => (number === 1 ? 'FENCED' : 'COMMITTED');
    for (const fragment of backup.slice(1)) {
      await sendContent(writer, fragment);
      await writer.seal(fragment.claim);
    }
    await writer.finish(totalsOf(backup));
    expect(await outcome).toMatchObject({ status: 0, fragments: 2, totals: { fragments: 3 } });
  });

  it('counts what earlier attempts have stored', async () => {
    const archiveOffset = backup[0]!.archive.length;
    const resume = { nextNumber: 2, archiveOffset, storedBytes: 1_000_000_000 };
    const { writer, outcome } = await media.write({ attempt: 2, resume });
    for (const fragment of backup.slice(1)) {
      await sendContent(writer, fragment);
      await writer.seal(fragment.claim);
    }
    await writer.finish(totalsOf(backup));
    const { storedBytes } = await outcome;
    const written = [...media.catalog.committed.values()].reduce(
      (sum, f) => sum + f.storedBytes,
      0,
    );
    expect(written).toBeGreaterThan(0);
    expect(storedBytes).toBe(1_000_000_000 + written);
    expect(media.progress.at(-1)).toMatchObject({ storedBytes });
  });

  it('has nothing to write when earlier attempts have written it all', async () => {
    const bytes = backup.reduce((sum, { archive }) => sum + archive.length, 0);
    const resume = { nextNumber: 4, archiveOffset: bytes };
    const { writer, outcome } = await media.write({ attempt: 2, resume });
    await writer.finish(totalsOf(backup));
    expect(await outcome).toMatchObject({ status: 0, fragments: 0, totals: { fragments: 3 } });
  });

  it('refuses a fragment that was committed before', async () => {
    const resume = { nextNumber: 2, archiveOffset: backup[0]!.archive.length };
    const { writer } = await media.write({ attempt: 2, resume });
    await expect(sendBackup(writer, backup)).rejects.toMatchObject({ status: 229 });
  });

  it('can be read back through a read session', async () => {
    const { writer } = await media.write();
    await sendBackup(writer, backup);
    const { reader, outcome } = await media.read();
    for (const [index, found] of (await stored()).entries()) {
      const { fragmentId } = found.name;
      const length = backup[index]!.frames[0]!.bytes.length;
      const pieces: Buffer[] = [];
      const range = { fragmentId, object: 'data', offset: 0, length } as const;
      for await (const piece of reader.read(range)) pieces.push(piece);
      expect(Buffer.concat(pieces).equals(backup[index]!.frames[0]!.bytes)).toBe(true);
    }
    const [first] = await stored();
    const { fragmentId } = first!.name;
    const pieces: Buffer[] = [];
    const range = { fragmentId, object: 'manifest', offset: 0, length: 0 } as const;
    for await (const piece of reader.read(range)) pieces.push(piece);
    expect(JSON.parse(Buffer.concat(pieces).toString())).toMatchObject({ fragmentId, number: 1 });
    reader.close();
    expect(await outcome).toMatchObject({ status: 0, reads: 4 });
  });

  it('reports progress, the last one with everything', async () => {
    const { writer, outcome } = await media.write();
    await sendBackup(writer, backup);
    await outcome;
    const bytes = 3 * 4 * 100_000;
    expect(media.progress.at(-1)).toMatchObject({ archiveBytes: bytes, fragments: 3 });
  });

  it('goes on to offer after the writer left without waiting for DONE', async () => {
    media.catalog.brokerDown = true;
    const { writer, outcome } = await media.write();
    const sending = sendBackup(writer, backup);
    sending.catch(() => undefined);
    const sealed = async () => (await stored()).filter(({ state }) => state === 'sealed').length;
    await until(async () => (await sealed()) === 3);
    writer.close();
    expect(await outcome).toMatchObject({ status: 40, fragments: 3 });
    await expect(sending).rejects.toBeInstanceOf(Error);
    media.catalog.brokerDown = false;
    await until(() => media.offers.open === 0);
    expect(media.catalog.committed.size).toBe(3);
  });

  it('keeps what was sealed and takes the rest back when the writer vanishes', async () => {
    const { writer, outcome } = await media.write();
    await sendContent(writer, backup[0]!);
    await writer.seal(backup[0]!.claim);
    await sendFrame(writer, backup[1]!.frames[0]!);
    const states = async () => (await stored()).map(({ state }) => state).join();
    const begun = async () => (await states()) === 'sealed,partial';
    await until(begun, { what: 'the second fragment to be begun' });
    writer.close();
    expect(await outcome).toMatchObject({ status: 40, fragments: 1 });
    await until(() => media.offers.open === 0);
    expect((await stored()).map(({ state }) => state)).toEqual(['sealed']);
    expect(readdirSync(copyFolder()).filter((name) => name.endsWith('.partial'))).toEqual([]);
    expect(media.volumes.countByState()).toEqual({ COMMITTED: 1 });
  });

  it('passes the reason on when the writer says why it gives up', async () => {
    const { writer, outcome } = await media.write();
    await sendFrame(writer, backup[0]!.frames[0]!);
    writer.abort(13, 'file read failed');
    expect(await outcome).toMatchObject({ status: 13, message: 'file read failed', fragments: 0 });
  });

  it('can be cancelled at any point', async () => {
    media.catalog.losesCommits = true;
    // Else a slow disk lets the first be committed past the broker before the last is offered.
    media.catalog.inquiryDown = true;
    const { writer, outcome } = await media.write();
    const sending = sendBackup(writer, backup);
    await until(() => media.offers.open === 3);
    media.session!.cancel();
    await expect(sending).rejects.toMatchObject({ status: 150 });
    expect(await outcome).toMatchObject({ status: 150, fragments: 3 });
  });

  it.each([
    ['FENCED', 229],
    ['SUPERSEDED', 229],
    ['CORRUPT', 1057],
    ['UNKNOWN_IMAGE', 227],
  ] as const)(
    'ends with an error when the catalog says %s, and keeps the bytes',
    async (said, status) => {
      media.catalog.judge = ({ number }) => (number === 2 ? said : 'COMMITTED');
      const { writer, outcome } = await media.write();
      await expect(sendBackup(writer, backup)).rejects.toMatchObject({ status });
      expect(await outcome).toMatchObject({ status, fragments: 3 });
      expect((await stored()).map(({ state }) => state)).toEqual(['sealed', 'sealed', 'sealed']);
    },
  );

  describe('refuses, and seals nothing of it,', () => {
    const refuses = (
      what: string,
      status: number,
      change: (fragment: SampleFragment) => Partial<SampleFragment>,
      task = {},
    ) =>
      it(what, async () => {
        const { writer, outcome } = await media.write(task);
        const bad = { ...backup[0]!, ...change(backup[0]!) };
        await expect(sendBackup(writer, [bad, backup[1]!])).rejects.toMatchObject({ status });
        expect(await outcome).toMatchObject({ status, fragments: 0 });
        expect((await stored()).filter(({ state }) => state === 'sealed')).toEqual([]);
      });

    refuses('a frame with a wrong digest', 1057, ({ frames }) => ({
      frames: [{ ...frames[0]!, digest: Buffer.alloc(32) }, ...frames.slice(1)],
    }));
    refuses('a frame that is not Zstandard', 1057, ({ frames }) => {
      const bytes = Buffer.from('not a frame');
      return { frames: [{ archiveLength: 10, bytes, digest: blake3(bytes) }, ...frames] };
    });
    refuses('a frame with an impossible size', 229, ({ frames }) => ({
      frames: [{ ...frames[0]!, archiveLength: 2_000_000 }],
    }));
    refuses('an index with a wrong digest', 1057, ({ index }) => ({
      index: [{ ...index[0]!, digest: Buffer.alloc(32) }],
    }));
    refuses('an index without its frame table', 229, ({ index }) => ({ index: [index[0]!] }));
    refuses('a frame table of other frames', 1057, ({ index }) => {
      const bytes = Buffer.from(index[1]!.bytes);
      bytes[20]! ^= 1;
      return { index: [index[0]!, { bytes, digest: blake3(bytes) }] };
    });
    refuses('a seal with a wrong number', 229, ({ claim }) => ({ claim: { ...claim, number: 2 } }));
    refuses('a seal with a wrong offset', 229, ({ claim }) => ({
      claim: { ...claim, archiveOffset: 1 },
    }));
    refuses('a seal with wrong sizes', 229, ({ claim }) => ({ claim: { ...claim, frames: 3 } }));
    refuses('a fragment beyond the limit', 84, () => ({}), { fragmentBytesMax: 100_000 });
  });

  it('refuses FINISH before the last fragment, or with another count', async () => {
    const early = await media.write();
    await sendContent(early.writer, backup[0]!);
    await early.writer.seal(backup[0]!.claim);
    await expect(early.writer.finish(totalsOf(backup))).rejects.toMatchObject({ status: 229 });
    const short = await media.write({ imageId: 'web1_1790000001' });
    await sendContent(short.writer, backup[0]!);
    await short.writer.seal({ ...backup[0]!.claim, last: true });
    await expect(short.writer.finish(totalsOf(backup))).rejects.toMatchObject({ status: 229 });
  });

  it('ends with 84 when the folder of the copy cannot be made', async () => {
    writeFileSync(join(folder.path, 'images'), 'in the way');
    const { writer, outcome } = await media.write();
    await expect(sendBackup(writer, backup)).rejects.toMatchObject({ status: 84 });
    expect(await outcome).toMatchObject({ status: 84, fragments: 0 });
    expect(await stored()).toEqual([]);
  });

  it('gives 85 for a range of a fragment that was truncated, and goes on with others', async () => {
    const { writer } = await media.write();
    await sendBackup(writer, backup);
    const [first, second] = await stored();
    const { reader, outcome } = await media.read();
    const read = async (fragmentId: string, offset: number) => {
      let bytes = 0;
      const range = { fragmentId, object: 'data', offset, length: 50_000 } as const;
      for await (const piece of reader.read(range)) bytes += piece.length;
      return bytes;
    };
    expect(await read(first!.name.fragmentId, 0)).toBe(50_000);
    truncateSync(join(copyFolder(), `00001-${first!.name.fragmentId}.tar.zst`), 1_000);
    truncateSync(join(copyFolder(), `00002-${second!.name.fragmentId}.tar.zst`), 1_000);
    for (const { name } of [first!, second!]) {
      await expect(read(name.fragmentId, 0)).rejects.toMatchObject({ status: 85 });
    }
    reader.close();
    expect(await outcome).toMatchObject({ status: 0, reads: 3 });
  });

  it('ends with 129 on a full volume and loses nothing that was sealed', async () => {
    const small = smallVolume(4 * 1024 * 1024);
    if (!small) return;
    const catalog = new MemoryCatalog();
    const options = { folder: small.path, catalog, reserveBytes: 1024 * 1024 };
    let full = await TestMediaServer.start(options);
    try {
      const large = await sampleBackup({ fragments: 8, framesEach: 8, frameBytes: 200_000 });
      const { writer, outcome } = await full.write();
      await expect(sendBackup(writer, large)).rejects.toMatchObject({ status: 129 });
      const { fragments, status } = await outcome;
      expect(status).toBe(129);
      expect(fragments).toBeGreaterThan(0);
      const next = await full.write();
      await expect(sendBackup(next.writer, large)).rejects.toMatchObject({ status: 129 });
      await until(() => full.offers.open === 0);
      await full.stop();
      full = await TestMediaServer.start(options);
      expect(full.volumes.countByState()).toMatchObject({ COMMITTED: fragments });
      for (const volume of full.volumes) {
        for await (const one of volume.store.list()) {
          if (one.state !== 'sealed') continue;
          const reader = await volume.store.open(one.name);
          expect(reader.size('data')).toBe(catalog.committed.get(one.name.fragmentId)!.storedBytes);
          await reader.close();
        }
      }
    } finally {
      await full.stop();
      small.dispose();
    }
  });
});
