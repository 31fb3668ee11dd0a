import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';
import type { FragmentCommit } from '#contracts/fragment.js';
import type { JobProgress } from '#contracts/job.js';
import type { WrittenCopy } from '#contracts/task.js';
import { SystemClock } from '#kernel/clock.js';
import { smallVolume, testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { until } from '../../../../test/support/until.js';
import { noCrash } from '../crash-point.js';
import { SAMPLE_DETAILS, TestMediaServer } from '../testing/media-server.js';
import { MemoryCatalog } from '../testing/memory-catalog.js';
import { MemorySources } from '../testing/memory-sources.js';
import { sampleBackup, sendBackup, type SampleFragment } from '../testing/sample-backup.js';
import { DuplicateRun, type DuplicateRunOptions, type DuplicateTask } from './duplicate-run.js';

const SHAPE = { fragments: 3, framesEach: 4, frameBytes: 100_000 };
const IMAGE: WrittenCopy = {
  imageId: 'web1_1790000000',
  copy: 2,
  copyAttempt: 5,
  client: 'web1',
  policy: 'daily',
  kind: 'full',
  backupTime: 1_790_000_000,
  details: SAMPLE_DETAILS,
};

/** A media server with what it has committed. */
interface Site {
  readonly folder: TestFolder;
  readonly media: TestMediaServer;
  readonly catalog: MemoryCatalog;
}

describe('A duplication', () => {
  let backup: SampleFragment[];
  let sites: Site[];
  let target: Site;
  let sources: MemorySources;
  let log: string[];
  let progress: Partial<JobProgress>[];

  const site = async (mediaId: string, folder = testFolder(), reserveBytes = 0): Promise<Site> => {
    const catalog = new MemoryCatalog();
    const more = [{ path: join(folder.path, 'vault'), pool: 'vault' }];
    const media = await TestMediaServer.start({
      ...{ folder: join(folder.path, 'disk'), more, mediaId, catalog, reserveBytes },
    });
    const made = { folder, media, catalog };
    sites.push(made);
    return made;
  };
  /** A server with a copy of the backup. */
  const sourceSite = async (mediaId: string, copy = 1): Promise<Site> => {
    const made = await site(mediaId);
    const { writer } = await made.media.write({ copy });
    await sendBackup(writer, backup);
    sources.add(byNumber(made.catalog));
    return made;
  };
  beforeEach(async () => {
    backup = await sampleBackup(SHAPE);
    [sites, log, progress] = [[], [], []];
    sources = new MemorySources();
    target = await site('target');
  });
  afterEach(async () => {
    for (const { media, folder } of sites) {
      await media.stop();
      folder.dispose();
    }
  });

  const runOf = (task: Partial<DuplicateTask> = {}, over: Partial<DuplicateRunOptions> = {}) =>
    new DuplicateRun({
      task: {
        ...{ type: 'duplicate', job: 9, attempt: 1, pool: 'vault', image: IMAGE, sources: [] },
        ...task,
      },
      ...{ mediaId: 'target', volumes: target.media.volumes, offers: target.media.offers },
      ...{ catalog: sources, clock: new SystemClock(), crashPoint: noCrash, patienceMs: 50 },
      log: (severity, text) => void log.push(`${severity}: ${text}`),
      onProgress: (one) => void progress.push(one),
      ...over,
    });
  /** The target is cut off from broker and catalog, or has them back. */
  const cut = (isCut: boolean) =>
    Object.assign(target.catalog, { brokerDown: isCut, inquiryDown: isCut });
  const servers = (...from: Site[]) =>
    from.map(({ media }) => ({
      mediaId: [...media.volumes][0]!.mediaId,
      address: media.address,
      tokens: media.expectReaders(3),
    }));
  const made = () => byNumber(target.catalog).filter(({ copy }) => copy === 2);
  const fileOf = (at: Site, commit: FragmentCommit, suffix = '.tar.zst') =>
    join(
      ...[at.folder.path, commit.pool, 'images', commit.imageId, `c${commit.copy}`],
      `${String(commit.number).padStart(5, '0')}-${commit.fragmentId}${suffix}`,
    );
  const contentOf = (at: Site, commit: FragmentCommit) =>
    ['.tar.zst', '.idx.zst'].map((suffix) => readFileSync(fileOf(at, commit, suffix)));
  const flip = (path: string, at: number) => {
    const bytes = readFileSync(path);
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
  };
  /** Every fragment of the copy is byte for byte what was backed up. */
  const expectWhole = (from: Site, numbers = [1, 2, 3]) => {
    expect(made().map(({ number }) => number)).toEqual(numbers);
    for (const commit of made()) {
      const source = byNumber(from.catalog).find(({ number }) => number === commit.number)!;
      const { fragmentId: _, sealedAt: __, index: ___, ...same } = source;
      expect(commit).toMatchObject({
        ...same,
        copy: 2,
        attempt: 5,
        mediaId: 'target',
        pool: 'vault',
      });
      expect(commit.fragmentId).not.toBe(source.fragmentId);
      const [data, index] = contentOf(target, commit);
      const digests = [data, index].map((bytes) => blake3(bytes!).toString('hex'));
      expect(digests).toEqual([source.digest, source.indexDigest]);
    }
  };

  it('on one host is optimized: from one volume to another', async () => {
    const { writer } = await target.media.write();
    await sendBackup(writer, backup);
    sources.add(byNumber(target.catalog));
    const before = readdirSync(join(target.folder.path, 'disk/images/web1_1790000000/c1'));
    expect(await runOf({ missing: 3 }).run()).toMatchObject({ status: 0, fragments: 3 });
    expectWhole(target);
    expect(readdirSync(join(target.folder.path, 'disk/images/web1_1790000000/c1'))).toEqual(before);
    expect(log).toEqual([
      'info: Initiating optimized duplication from @target/disk to @target/vault',
      ...Array.from({ length: 3 }, () => [
        'info: begin writing',
        expect.stringMatching(/^info: end writing; write time: \d+:\d\d:\d\d$/),
      ]).flat(),
    ]);
    const storedBytes = made().reduce((sum, one) => sum + one.storedBytes, 0);
    const bytes = SHAPE.fragments * SHAPE.framesEach * SHAPE.frameBytes;
    expect(progress.at(-1)).toEqual({ fragments: 3, fragmentsTotal: 3, bytes, storedBytes });
  });

  it('from another media server is optimized: from storage to storage', async () => {
    const from = await sourceSite('source');
    expect(await runOf({ sources: servers(from) }).run()).toMatchObject({ status: 0 });
    expectWhole(from);
    expect(log.filter((line) => /normal/.test(line))).toEqual([]);
    const manifest = JSON.parse(readFileSync(fileOf(target, made()[2]!, '.json'), 'utf8'));
    expect(manifest).toMatchObject({ last: true, files: 3, image: SAMPLE_DETAILS, copy: 2 });
  });

  it('makes only what the copy lacks, page by page', async () => {
    const from = await sourceSite('source');
    sources.add(
      byNumber(from.catalog)
        .slice(1, 2)
        .map((one) => ({ ...one, copy: 2 })),
    );
    sources.pageMax = 1;
    expect(await runOf({ sources: servers(from) }).run()).toMatchObject({ status: 0 });
    expectWhole(from, [1, 3]);
    expect(sources.asked).toBe(3);
  });

  it('takes the next source for a fragment that is damaged, and says which one it was', async () => {
    const bad = await sourceSite('bad');
    const good = await sourceSite('good', 3);
    const [, second, third] = byNumber(bad.catalog);
    flip(fileOf(bad, second!), 50_000);
    truncateSync(fileOf(bad, third!), 1_000);
    expect(await runOf({ sources: servers(bad, good) }).run()).toMatchObject({ status: 0 });
    expectWhole(good);
    expect(sources.suspects).toEqual([second!.fragmentId, third!.fragmentId]);
    expect(log.filter((line) => line.startsWith('error'))).toHaveLength(2);
    expect(log).not.toContain('warning: Continuing with normal duplication.');
  });

  it('goes on with normal duplication, frame by frame out of several damaged copies', async () => {
    const one = await sourceSite('one');
    const two = await sourceSite('two', 3);
    flip(fileOf(one, byNumber(one.catalog)[1]!), 1_000);
    flip(fileOf(two, byNumber(two.catalog)[1]!), byNumber(two.catalog)[1]!.storedBytes - 5_000);
    expect(await runOf({ sources: servers(one, two) }).run()).toMatchObject({ status: 0 });
    expectWhole(one);
    expect(log).toContain('warning: Continuing with normal duplication.');
    expect(sources.suspects).toHaveLength(2);
  });

  it('makes the others when no source can give one, and touches no source', async () => {
    const from = await sourceSite('source');
    const second = byNumber(from.catalog)[1]!;
    flip(fileOf(from, second), 1_000);
    const before = contentOf(from, second);
    const result = await runOf({ sources: servers(from) }).run();
    expect(result).toMatchObject({ status: 1057, fragments: 2 });
    expect(result.message).toMatch(/^fragments 2 were not duplicated/);
    expectWhole(from, [1, 3]);
    expect(contentOf(from, second)).toEqual(before);
  });

  it('opens a connection again that broke in the middle of a fragment', async () => {
    const from = await sourceSite('source');
    const cutting = await cutFirstConnection(from.media.address, 300_000);
    const [given] = servers(from);
    const result = await runOf({ sources: [{ ...given!, address: cutting.address }] }).run();
    cutting.close();
    expect(result).toMatchObject({ status: 0, fragments: 3 });
    expectWhole(from);
    expect(log.filter((line) => /failed: network connection broken/.test(line))).toHaveLength(1);
    expect(log).toContain('warning: Continuing with normal duplication.');
    expect(sources.suspects).toEqual([]);
  });

  it('ends with 25 when the source stays away or does not know the token', async () => {
    const from = await sourceSite('source');
    const given = servers(from);
    given[0]!.tokens[0] = 'a-token-that-nobody-expects';
    expect(await runOf({ sources: given }).run()).toMatchObject({ status: 25, fragments: 0 });
    const away = servers(from);
    await from.media.stop();
    expect(await runOf({ sources: away }).run()).toMatchObject({ status: 25, fragments: 0 });
    expect(sources.suspects).toEqual([]);
    from.media.stop = async () => undefined;
  });

  it('makes what it knows of while the catalog is away, waits, and is whole when it is back', async () => {
    const from = await sourceSite('source');
    cut(true);
    const ask = sources.missing.bind(sources);
    sources.missing = async (image, after) => {
      const page = await ask(image, after);
      sources.down = true;
      return page;
    };
    const run = runOf({ sources: servers(from) });
    const result = run.run();
    await until(() => target.media.offers.open === 3 && sources.asked > 1);
    expect(target.media.volumes.countByState()).toEqual({ SEALED: 3 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    sources.missing = ask;
    sources.down = false;
    cut(false);
    expect(await result).toMatchObject({ status: 0, fragments: 3 });
    expectWhole(from);
  });

  it('can be cancelled while it waits; what is sealed is offered on', async () => {
    const from = await sourceSite('source');
    cut(true);
    const run = runOf({ sources: servers(from) });
    const result = run.run();
    await until(() => target.media.offers.open === 3);
    run.cancel();
    expect(await result).toMatchObject({ status: 150 });
    cut(false);
    await until(() => target.media.offers.open === 0);
    expectWhole(from);
  });

  it.each([
    ['FENCED', 229],
    ['CORRUPT', 1057],
    ['SUPERSEDED', 0],
  ] as const)(
    'ends as it has to when the catalog says %s, and keeps the bytes',
    async (said, status) => {
      const from = await sourceSite('source');
      target.catalog.judge = ({ number }) => (number === 2 ? said : 'COMMITTED');
      expect(await runOf({ sources: servers(from) }).run()).toMatchObject({ status });
      await until(() => target.media.offers.open === 0);
      expect(target.media.volumes.countByState()).toEqual({ COMMITTED: 2, [said]: 1 });
    },
  );

  it('ends with 129 on a full volume', async () => {
    const small = smallVolume(3 * 1024 * 1024);
    if (!small) return;
    const full = await site('target', small, 1024 * 1024);
    backup = await sampleBackup({ fragments: 8, framesEach: 8, frameBytes: 200_000 });
    const from = await sourceSite('source');
    const over = { volumes: full.media.volumes, offers: full.media.offers };
    const result = await runOf({ sources: servers(from) }, over).run();
    expect(result).toMatchObject({ status: 129 });
    // The one that did not fit was taken back, so that others may use its room.
    expect(full.media.volumes.countByState()).not.toHaveProperty('INTENT');
    const files = readdirSync(small.path, { recursive: true }).map(String);
    expect(files.filter((name) => name.endsWith('.partial'))).toEqual([]);
    expect(from.media.volumes.countByState()).toEqual({ COMMITTED: 8 });
  });
});

function byNumber(catalog: MemoryCatalog): FragmentCommit[] {
  return [...catalog.committed.values()].sort((a, b) => a.number - b.number);
}

/** Stands before an address and cuts the first connection when so many bytes have come from there. */
async function cutFirstConnection(address: { host: string; port: number }, afterBytes: number) {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    const first = connections === 1;
    const beyond = connect(address);
    let bytes = 0;
    beyond.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (first && bytes > afterBytes) socket.resetAndDestroy();
    });
    socket.pipe(beyond).pipe(socket);
    for (const one of [socket, beyond]) one.on('error', () => beyond.destroy());
    socket.on('close', () => beyond.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { address: { host: '127.0.0.1', port }, close: () => server.close() };
}
