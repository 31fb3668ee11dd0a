import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { compress, decompress } from '#archive/frames/zstd.js';
import { blake3 } from '@napi-rs/blake-hash';
import { isFrameTable, decodeFrameTable } from '#archive/frames/frame-table.js';
import { encodeIndexLine, parseIndexLine, type IndexLine } from '#archive/index-line.js';
import { zstdFrameAt } from '#archive/frames/zstd-frame-end.js';
import type { FragmentCommit } from '#contracts/fragment.js';
import type { WrittenCopy } from '#contracts/task.js';
import { SystemClock } from '#kernel/clock.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { until } from '../../../../test/support/until.js';
import { noCrash } from '../crash-point.js';
import { contentOf, sampleImage, type SampleEntry } from '../testing/chain-images.js';
import { SAMPLE_DETAILS, TestMediaServer } from '../testing/media-server.js';
import { MemoryCatalog } from '../testing/memory-catalog.js';
import { ImageSources } from '../testing/memory-sources.js';
import { sendBackup, type SampleFragment } from '../testing/sample-backup.js';
import { SynthesizeRun, type SynthesizeRunOptions, type SynthesizeTask } from './synthesize-run.js';

const MIB = 2 ** 20;
const FULL = 'web1_1790000000';
const LATER = 'web1_1790000100';
const IMAGE: WrittenCopy = {
  ...{ imageId: 'web1_1790000101', copy: 1, copyAttempt: 3, client: 'web1', policy: 'daily' },
  ...{ kind: 'full', backupTime: 1_790_000_101 },
  details: { ...SAMPLE_DETAILS, syntheticOf: LATER },
};
const CHAIN = [FULL, LATER];
/** A Zstandard frame that `zstd -d` passes over. */
const SKIPPABLE = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

const big = randomBytes(20 * MIB);
const linked = randomBytes(700_000);
const digestOf = (content: Buffer) => `f ${blake3(content).toString('hex')}`;

const FULL_ENTRIES: SampleEntry[] = [
  { path: 'srv', folder: true },
  { path: 'srv/big', content: big },
  { path: 'srv/data', content: linked },
  { path: 'srv/edited', content: Buffer.from('before') },
  { path: 'srv/gone', folder: true },
  { path: 'srv/gone/inner', content: Buffer.from('inner') },
  { path: 'srv/link-1', link: 'srv/data' },
  { path: 'srv/link-2', link: 'srv/data' },
  { path: 'srv/small', content: randomBytes(3_000) },
  { path: 'srv/z-link', link: 'srv/small' },
];
const LATER_ENTRIES: SampleEntry[] = [
  { path: 'srv', folder: true },
  { path: 'srv/data', gone: true },
  { path: 'srv/edited', content: Buffer.from('after') },
  { path: 'srv/gone', content: Buffer.from('a file by now') },
];
const MERGED = {
  srv: 'd ',
  'srv/big': digestOf(big),
  'srv/edited': digestOf(Buffer.from('after')),
  'srv/gone': digestOf(Buffer.from('a file by now')),
  'srv/link-1': digestOf(linked),
  'srv/link-2': 'h srv/link-1',
  'srv/small': digestOf(FULL_ENTRIES[8]!.content!),
  'srv/z-link': 'h srv/small',
};

describe('A synthesis', () => {
  let target: Site;
  let other: Site;
  let sites: Site[];
  let sources: ImageSources;
  let log: string[];

  interface Site {
    readonly folder: TestFolder;
    readonly media: TestMediaServer;
    readonly catalog: MemoryCatalog;
  }

  const site = async (mediaId: string): Promise<Site> => {
    const folder = testFolder();
    const catalog = new MemoryCatalog();
    const media = await TestMediaServer.start({
      ...{ folder: join(folder.path, 'disk'), mediaId, catalog },
    });
    const made = { folder, media, catalog };
    sites.push(made);
    return made;
  };
  const store = async (
    at: Site,
    imageId: string,
    entries: readonly SampleEntry[],
    { copy = 1, change = (one: SampleFragment) => one } = {},
  ) => {
    const { writer } = await at.media.write({ imageId, copy });
    await sendBackup(writer, (await sampleImage(entries, 8)).map(change));
    sources.add(committedOf(at, imageId).filter((one) => one.copy === copy));
  };
  beforeEach(async () => {
    [sites, log, sources] = [[], [], new ImageSources()];
    target = await site('target');
    other = await site('other');
    await store(other, FULL, FULL_ENTRIES);
    await store(target, LATER, LATER_ENTRIES);
  });
  afterEach(async () => {
    for (const { media, folder } of sites) {
      await media.stop();
      folder.dispose();
    }
  });

  const runOf = (task: Partial<SynthesizeTask> = {}, over: Partial<SynthesizeRunOptions> = {}) =>
    new SynthesizeRun({
      task: {
        ...{ type: 'synthesize', job: 9, attempt: 1, pool: 'disk', image: IMAGE, chain: CHAIN },
        ...{ fragmentBytesMax: 4 * MIB, compressionLevel: 1 },
        resume: { nextNumber: 1, archiveOffset: 0 },
        sources: [
          {
            ...{ mediaId: 'other', address: other.media.address },
            tokens: other.media.expectReaders(4, CHAIN),
          },
        ],
        ...task,
      },
      ...{ mediaId: 'target', volumes: target.media.volumes, offers: target.media.offers },
      ...{ catalog: sources, clock: new SystemClock(), crashPoint: noCrash, patienceMs: 50 },
      log: (severity, text) => void log.push(`${severity}: ${text}`),
      onProgress: () => undefined,
      ...over,
    });
  const made = () => committedOf(target, IMAGE.imageId);
  const fileOf = (at: Site, one: FragmentCommit, suffix = '.tar.zst') =>
    join(
      ...[at.folder.path, 'disk/images', one.imageId, `c${one.copy}`],
      `${String(one.number).padStart(5, '0')}-${one.fragmentId}${suffix}`,
    );
  const archiveOf = async (commits: readonly FragmentCommit[]) =>
    Buffer.concat(
      await Promise.all(commits.map((one) => unpacked(readFileSync(fileOf(target, one))))),
    );
  const flip = (path: string, at: number) => {
    const bytes = readFileSync(path);
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
  };

  it('makes an archive of what exists after the newest image, from here and from elsewhere', async () => {
    const before = readFileSync(fileOf(other, committedOf(other, FULL)[0]!));
    expect(await runOf().run()).toMatchObject({ status: 0, kind: 'full', files: 8 });
    const commits = made();
    expect(commits.length).toBeGreaterThan(4);
    expect(contentOf(await archiveOf(commits))).toEqual(MERGED);
    for (const one of commits) expect(one.storedBytes).toBeLessThanOrEqual(4 * MIB);
    const last = JSON.parse(readFileSync(fileOf(target, commits.at(-1)!, '.json'), 'utf8'));
    expect(last).toMatchObject({
      ...{ last: true, fragments: commits.length, files: 8, attempt: 3, image: IMAGE.details },
      bytes: big.length + linked.length + 3_000 + 'after'.length + 'a file by now'.length,
    });
    expect(readFileSync(fileOf(other, committedOf(other, FULL)[0]!))).toEqual(before);
  });

  it('keeps what is selected in a folder that is not there any more', async () => {
    const kept = Buffer.from('kept');
    const [before, after] = ['web1_1790000050', 'web1_1790000060'];
    await store(target, before, [
      { path: 'srv', folder: true },
      { path: 'srv/cache', folder: true },
      { path: 'srv/cache/keep', folder: true },
      { path: 'srv/cache/keep/file', content: kept },
      { path: 'srv/cache/other', content: Buffer.from('other') },
    ]);
    await store(target, after, [
      { path: 'srv/cache', gone: true },
      { path: 'srv/cache/other', gone: true },
    ]);
    expect(await runOf({ chain: [before, after] }).run()).toMatchObject({ status: 0, files: 3 });
    expect(contentOf(await archiveOf(made()))).toEqual({
      ...{ srv: 'd ', 'srv/cache/keep': 'd ', 'srv/cache/keep/file': digestOf(kept) },
    });
  });

  it('says of each fragment that it is sealed when it is', async () => {
    const said: number[] = [];
    const onProgress = ({ fragments }: { fragments?: number }) => {
      if (fragments !== undefined) said.push(fragments);
    };
    await runOf({}, { onProgress }).run();
    expect([...new Set(said)]).toEqual(made().map(({ number }) => number));
  });

  it('says in its index where each entry is, also what became a file', async () => {
    await runOf().run();
    const commits = made();
    const archive = await archiveOf(commits);
    const seen: Record<string, string> = {};
    for (const one of commits) {
      const index = readFileSync(fileOf(target, one, '.idx.zst'));
      for (const text of await linesOf(index)) {
        const line = parseIndexLine(text);
        const own = archive.subarray(line.own.offset, line.own.offset + line.own.length);
        const data = archive.subarray(line.offset, line.offset + line.length);
        expect(line.own.offset).toBeGreaterThanOrEqual(one.archiveOffset);
        expect(line.own.offset).toBeLessThan(one.archiveOffset + one.archiveBytes);
        seen[line.path] = Object.entries(contentOf(own))[0]!.join(' ');
        if (line.type === 'h') expect(Object.keys(contentOf(data))).toEqual([line.target]);
      }
    }
    const entries = Object.entries(MERGED).map(([path, what]) => [path, `${path} ${what}`]);
    expect(seen).toEqual(Object.fromEntries(entries));
  });

  it('takes whole frames of long pieces as they are', async () => {
    await runOf().run();
    const old = committedOf(other, FULL).flatMap((one) =>
      digests(readFileSync(fileOf(other, one, '.idx.zst'))),
    );
    const fresh = made().flatMap((one) => digests(readFileSync(fileOf(target, one, '.idx.zst'))));
    expect(fresh.filter((digest) => old.includes(digest)).length).toBeGreaterThan(15);
  });

  it('goes on behind what an earlier attempt has committed, and makes the same archive', async () => {
    await runOf().run();
    const whole = made();
    const archive = await archiveOf(whole);
    const there = whole.slice(0, 2);
    const resume = { nextNumber: 3, archiveOffset: whole[2]!.archiveOffset };
    const image = { ...IMAGE, imageId: 'web1_1790000102' };
    expect(await runOf({ resume, image }).run()).toMatchObject({
      ...{ status: 0, files: 8 },
    });
    const rest = committedOf(target, image.imageId);
    expect(rest[0]).toMatchObject({ number: 3, archiveOffset: resume.archiveOffset });
    const both = Buffer.concat([await archiveOf(there), await archiveOf(rest)]);
    expect(both.equals(archive)).toBe(true);
    const end = { nextNumber: whole.length + 1, archiveOffset: archive.length };
    const nothing = { ...IMAGE, imageId: 'web1_1790000103' };
    expect(await runOf({ resume: end, image: nothing }).run()).toMatchObject({
      ...{ status: 0, fragments: whole.length, files: 8 },
    });
    expect(committedOf(target, nothing.imageId)).toEqual([]);
    const beyond = { nextNumber: 9, archiveOffset: archive.length + 512 };
    expect(await runOf({ resume: beyond, image: nothing }).run()).toMatchObject({ status: 229 });
  });

  it('makes larger fragments where the numbers of a large image run short', async () => {
    const resume = { nextNumber: 50_000, archiveOffset: 0 };
    expect(await runOf({ resume }).run()).toMatchObject({ status: 0 });
    const [last, late] = made().map(({ storedBytes }) => storedBytes);
    expect(last).toBeLessThanOrEqual(4 * MIB);
    expect(late).toBeGreaterThan(4 * MIB);
  });

  it('takes another copy for what is damaged, and says which one it was', async () => {
    await store(target, FULL, FULL_ENTRIES, { copy: 2 });
    const [first] = committedOf(other, FULL);
    flip(fileOf(other, first!), 3 * MIB);
    const [own] = committedOf(target, FULL);
    flip(fileOf(target, own!), 5 * MIB);
    flip(fileOf(target, own!, '.idx.zst'), 20);
    expect(await runOf().run()).toMatchObject({ status: 0 });
    expect(contentOf(await archiveOf(made()))).toEqual(MERGED);
    // What lies here is read first; the other one gives what it lacks.
    expect(sources.suspects).toEqual([own!.fragmentId]);
  });

  it.each([
    ['data', '.tar.zst', 1_000],
    ['index', '.idx.zst', 20],
  ])('ends without a last fragment where no copy can give %s', async (_, suffix, at) => {
    const [, second] = committedOf(other, FULL);
    flip(fileOf(other, second!, suffix), at);
    const result = await runOf().run();
    expect([85, 1057]).toContain(result.status);
    expect(made().some(({ last }) => last)).toBe(false);
    expect(sources.suspects).toEqual([second!.fragmentId]);
  });

  it('has no more bytes than a message can say, whatever its files come to', async () => {
    const odd = 'web1_1790000050';
    const block = await lineOf({ path: 'z', size: Number.MAX_SAFE_INTEGER });
    const change = (one: SampleFragment) => {
      const index = one.index.toSpliced(-1, 0, { bytes: block, digest: blake3(block) });
      return { ...one, index };
    };
    await store(target, odd, [{ path: 'srv', folder: true }], { change });
    const result = await runOf({ chain: [FULL, odd] }).run();
    expect(result).toMatchObject({ status: 0, bytes: Number.MAX_SAFE_INTEGER });
  });

  it.each([
    ['a frame that is neither lines nor the table', () => SKIPPABLE, 'neither lines nor'],
    ['a line that is none', () => compress(Buffer.from('this is no line\n'), 3), 'a line is none'],
    ['a path that is none', () => compress(Buffer.from('d\tsrv\\q\t0\n'), 3), 'index is damaged'],
    ['half a line', () => compress(Buffer.from('d\tsrv/a\t0'), 3), 'has no end'],
    ['a line in the wrong place', () => lineOf({ path: 'a' }), '/a is not in its place'],
    ['half of the columns', () => compress(Buffer.from('f\tz/z\t0\n'), 3), '/z/z has a line'],
    ['an entry beyond its end', () => lineOf({ path: 'z', offset: 2 ** 40 }), 'behind the end'],
    ['a link to nowhere', () => lineOf({ path: 'z', type: 'h', offset: -1 }), '/z has a line'],
  ])('says which image has %s in its index, and what to do', async (_, make, reason) => {
    const odd = 'web1_1790000050';
    const block = await make();
    const change = (one: SampleFragment) => {
      const index = one.index.toSpliced(-1, 0, { bytes: block, digest: blake3(block) });
      return { ...one, index };
    };
    await store(target, odd, [{ path: 'srv', folder: true }], { change });
    const chain = [FULL, odd];
    const { status, message } = await runOf({ chain }).run();
    expect([status, message]).toEqual([1057, expect.stringContaining(reason)]);
    expect(message).toContain(`image ${odd}`);
    expect(message).toContain('run a full backup');
    // It is what was committed: no media server need look.
    expect(sources.suspects).toEqual([]);
    expect(log.filter((line) => line.startsWith('error'))).toEqual([]);
  });

  it('opens each image for a pass over the indexes, and once more for what it reads of it', async () => {
    await store(target, FULL, FULL_ENTRIES, { copy: 2 });
    const { store: volume } = [...target.media.volumes][0]!;
    let [open, most] = [0, 0];
    const openOne = volume.open.bind(volume);
    volume.open = async (name) => {
      const reader = await openOne(name);
      most = Math.max(most, ++open);
      const close = reader.close.bind(reader);
      reader.close = () => {
        open -= 1;
        return close();
      };
      return reader;
    };
    expect(await runOf().run()).toMatchObject({ status: 0 });
    // In order, and for links out of order.
    expect([open, most <= 3 * CHAIN.length]).toEqual([0, true]);
  });

  it('ends with 25 when the other server stays away, and can be cancelled', async () => {
    const away = runOf();
    await other.media.stop();
    expect(await away.run()).toMatchObject({ status: 25 });
    sources.down = true;
    const waiting = runOf();
    const result = waiting.run();
    const waits = () => log.includes('warning: waiting for the catalog: no catalog');
    await until(waits, { what: 'it to wait for the catalog' });
    waiting.cancel();
    expect(await result).toMatchObject({ status: 150 });
    other.media.stop = async () => undefined;
  });
});

function committedOf(at: { catalog: MemoryCatalog }, imageId: string): FragmentCommit[] {
  return [...at.catalog.committed.values()]
    .filter((one) => one.imageId === imageId)
    .sort((a, b) => a.number - b.number);
}

function lineOf({ offset = 0, ...line }: Partial<IndexLine>): Promise<Buffer> {
  const place = { offset, length: 512 };
  const text = encodeIndexLine({
    ...{ type: 'f', path: '', size: 0, mtimeNs: '0', mode: 0o644, uid: 0, gid: 0, flags: '' },
    ...{ target: 'srv', deviceMajor: 0, deviceMinor: 0, own: place, ...place, ...line },
  });
  return compress(Buffer.from(text, 'latin1'), 3);
}

function framesOf(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const { bytes: length, skippable } = zstdFrameAt(bytes, at)!;
    if (!skippable || isFrameTable(bytes.subarray(at)))
      frames.push(bytes.subarray(at, at + length));
    at += length;
  }
  return frames;
}

async function unpacked(bytes: Buffer): Promise<Buffer> {
  return Buffer.concat(await Promise.all(framesOf(bytes).map((frame) => decompress(frame))));
}

async function linesOf(index: Buffer): Promise<string[]> {
  const frames = framesOf(index).filter((frame) => !isFrameTable(frame));
  const texts = await Promise.all(frames.map((frame) => decompress(frame)));
  return Buffer.concat(texts).toString('latin1').split('\n').slice(0, -1);
}

function digests(index: Buffer): string[] {
  const table = framesOf(index).at(-1)!;
  return decodeFrameTable(table).map(({ digest }) => digest.toString('hex'));
}
