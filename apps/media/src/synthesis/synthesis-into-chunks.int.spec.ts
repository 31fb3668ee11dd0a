import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';
import { decompress } from '#archive/frames/zstd.js';
import { zstdFrameAt } from '#archive/frames/zstd-frame-end.js';
import type { FragmentCommit } from '#contracts/fragment.js';
import { SystemClock } from '#kernel/clock.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { contentOf, sampleImage, type SampleEntry } from '../testing/chain-images.js';
import { SAMPLE_DETAILS, TestMediaServer } from '../testing/media-server.js';
import { ImageSources } from '../testing/memory-sources.js';
import { sendBackup } from '../testing/sample-backup.js';
import { SynthesizeRun, type SynthesizeTask } from './synthesize-run.js';

const MIB = 2 ** 20;
const CHAIN = ['web1_1790000000', 'web1_1790000100'];
const big = randomBytes(9 * MIB);
const digestOf = (content: Buffer) => `f ${blake3(content).toString('hex')}`;

describe('A synthesis into a volume that deduplicates', () => {
  let folder: TestFolder;
  let disk: TestMediaServer;
  let lean: TestMediaServer;
  let sources: ImageSources;
  let log: string[];

  const store = async (imageId: string, entries: readonly SampleEntry[]) => {
    const { writer } = await disk.write({ imageId });
    await sendBackup(writer, await sampleImage(entries, 8));
  };
  beforeEach(async () => {
    folder = testFolder();
    disk = await TestMediaServer.start({ folder: join(folder.path, 'disk'), mediaId: 'other' });
    await store(CHAIN[0]!, [
      { path: 'big', content: big },
      { path: 'gone', content: randomBytes(100_000) },
      { path: 'other', content: Buffer.from('before') },
    ]);
    await store(CHAIN[1]!, [
      { path: 'gone', gone: true },
      { path: 'other', content: Buffer.from('after') },
    ]);
    log = [];
    sources = new ImageSources();
    sources.add(disk.catalog.committed.values());
    lean = await TestMediaServer.start({
      ...{ folder: join(folder.path, 'lean'), mediaId: 'target', kind: 'chunks' },
    });
  });
  afterEach(async () => {
    await lean.stop();
    await disk.stop();
    folder.dispose();
  });

  const synthesis = (imageId: string, task: Partial<SynthesizeTask> = {}) =>
    new SynthesizeRun({
      task: {
        ...{ type: 'synthesize', job: 9, attempt: 1, pool: 'disk', chain: CHAIN },
        image: {
          ...{ imageId, copy: 1, copyAttempt: 1, client: 'web1', policy: 'daily' },
          ...{ kind: 'full', backupTime: 1_790_000_101, details: SAMPLE_DETAILS },
        },
        ...{ fragmentBytesMax: 4 * MIB, compressionLevel: 1 },
        resume: { nextNumber: 1, archiveOffset: 0 },
        sources: [
          { mediaId: 'other', address: disk.address, tokens: disk.expectReaders(4, CHAIN) },
        ],
        ...task,
      },
      ...{ mediaId: 'target', volumes: lean.volumes, offers: lean.offers },
      ...{ catalog: sources, clock: new SystemClock(), patienceMs: 50 },
      log: (_, text) => void log.push(text),
      onProgress: () => undefined,
    });
  const made = (imageId: string) =>
    [...lean.catalog.committed.values()]
      .filter((one) => one.imageId === imageId)
      .sort((a, b) => a.number - b.number);
  const dataOf = async (commits: readonly FragmentCommit[]) => {
    const { reader } = await lean.read([commits[0]!.imageId]);
    const all: Buffer[] = [];
    for (const { fragmentId, storedBytes: length } of commits) {
      const pieces: Buffer[] = [];
      const range = { fragmentId, object: 'data', offset: 0, length } as const;
      for await (const piece of reader.read(range)) pieces.push(Buffer.from(piece));
      all.push(Buffer.concat(pieces));
    }
    reader.close();
    return all;
  };
  const dedup = () => log.filter((line) => line.startsWith('deduplicated: '));

  it('makes fragments whose data any reader gets, within their limit', async () => {
    expect(await synthesis('web1_1790000101').run()).toMatchObject({ status: 0, files: 2 });
    const commits = made('web1_1790000101');
    expect(commits.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    const data = await dataOf(commits);
    expect(data.map((one) => blake3(one).toString('hex'))).toEqual(
      commits.map(({ digest }) => digest),
    );
    for (const { storedBytes } of commits) expect(storedBytes).toBeLessThanOrEqual(4 * MIB);
    const archive = Buffer.concat(await Promise.all(data.map(unpacked)));
    expect(contentOf(archive)).toEqual({
      big: digestOf(big),
      other: digestOf(Buffer.from('after')),
    });
  });

  it('stores what another image has once', async () => {
    await synthesis('web1_1790000101').run();
    await synthesis('web1_1790000102').run();
    const [first, second] = dedup();
    expect(first).toMatch(/; (\d+) of \1 chunks were new$/);
    expect(second).toMatch(/ came as 0 new bytes; 0 of \d+ chunks were new$/);
  });

  it('goes on behind what an earlier attempt has committed, in the middle of an entry', async () => {
    await synthesis('web1_1790000101').run();
    const whole = made('web1_1790000101');
    const resume = { nextNumber: 2, archiveOffset: whole[1]!.archiveOffset };
    const again = synthesis('web1_1790000102', { resume });
    expect(await again.run()).toMatchObject({ status: 0, files: 2 });
    const rest = made('web1_1790000102');
    expect(rest.map(({ number, digest }) => [number, digest])).toEqual(
      whole.slice(1).map(({ number, digest }) => [number, digest]),
    );
  });

  it('leaves a volume that takes the next one when it is cancelled in the middle', async () => {
    const run = synthesis('web1_1790000101');
    const result = run.run();
    while (made('web1_1790000101').length === 0) await new Promise(setImmediate);
    run.cancel();
    expect((await result).status).toBe(150);
    expect(made('web1_1790000101').some(({ last }) => last)).toBe(false);
    expect(await synthesis('web1_1790000102').run()).toMatchObject({ status: 0 });
    expect(dedup()).toHaveLength(1);
  });
});

async function unpacked(data: Buffer): Promise<Buffer> {
  const contents: Buffer[] = [];
  for (let at = 0; at < data.length;) {
    const { bytes, skippable } = zstdFrameAt(data, at)!;
    if (!skippable) contents.push(await decompress(data.subarray(at, at + bytes)));
    at += bytes;
  }
  return Buffer.concat(contents);
}
