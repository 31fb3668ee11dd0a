import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SystemClock } from '#kernel/clock.js';
import { makeSmallLibrary } from '#storage/testing/small-library.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { until } from '../../../../test/support/until.js';
import { sampleImage, type SampleEntry } from '../testing/chain-images.js';
import { SAMPLE_DETAILS, TestMediaServer } from '../testing/media-server.js';
import { MemoryCatalog } from '../testing/memory-catalog.js';
import { ImageSources } from '../testing/memory-sources.js';
import { sampleBackup, sendBackup, sendContent, totalsOf } from '../testing/sample-backup.js';
import { SynthesizeRun } from './synthesize-run.js';

const MIB = 2 ** 20;
const CHAIN = ['web1_1790000000', 'web1_1790000100'];
const IMAGE_ID = 'web1_1790000101';
const FRAGMENT_BYTES_MAX = 4 * MIB;

describe('A synthesis into a library', () => {
  let folder: TestFolder;
  let disk: TestMediaServer;
  let library: TestMediaServer;
  let catalog: MemoryCatalog;
  let sources: ImageSources;

  const store = async (imageId: string, entries: readonly SampleEntry[]) => {
    const { writer } = await disk.write({ imageId });
    await sendBackup(writer, await sampleImage(entries, 8));
  };
  beforeEach(async () => {
    folder = testFolder();
    disk = await TestMediaServer.start({ folder: join(folder.path, 'disk'), mediaId: 'other' });
    await store(CHAIN[0]!, [{ path: 'big', content: randomBytes(10 * MIB) }]);
    await store(CHAIN[1]!, [{ path: 'later', content: randomBytes(1_000) }]);
    sources = new ImageSources();
    sources.add(disk.catalog.committed.values());
    catalog = new MemoryCatalog();
    await makeSmallLibrary(folder.path, { cartridges: 2, capacityBytes: 64 * MIB });
    const spoolBytesMax = FRAGMENT_BYTES_MAX + MIB / 16;
    library = await TestMediaServer.start({
      ...{ folder: folder.path, mediaId: 'target', isLibrary: true, catalog, spoolBytesMax },
    });
  });
  afterEach(async () => {
    await library.stop();
    await disk.stop();
    folder.dispose();
  });

  const synthesis = () =>
    new SynthesizeRun({
      task: {
        ...{ type: 'synthesize', job: 9, attempt: 1, pool: 'disk', chain: CHAIN },
        image: {
          ...{ imageId: IMAGE_ID, copy: 1, copyAttempt: 1, client: 'web1', policy: 'daily' },
          ...{ kind: 'full', backupTime: 1_790_000_101, details: SAMPLE_DETAILS },
        },
        ...{ fragmentBytesMax: FRAGMENT_BYTES_MAX, compressionLevel: 1 },
        resume: { nextNumber: 1, archiveOffset: 0 },
        sources: [
          { mediaId: 'other', address: disk.address, tokens: disk.expectReaders(4, CHAIN) },
        ],
      },
      ...{ mediaId: 'target', volumes: library.volumes, offers: library.offers },
      ...{ catalog: sources, clock: new SystemClock() },
      log: () => undefined,
      onProgress: () => undefined,
    });
  const isWaiting = () => library.jobLog.some((line) => line.startsWith('waiting for room'));
  const untilItWaits = () => until(isWaiting, { what: 'it to wait for room' });
  /** A backup that has its place in the spool, and has come to the end of its only fragment. */
  const holder = async () => {
    const backup = await sampleBackup({ fragments: 1, framesEach: 3, frameBytes: MIB });
    const image = { imageId: 'web2_1790000000', client: 'web2' };
    const { writer, outcome } = await library.write({
      ...image,
      fragmentBytesMax: FRAGMENT_BYTES_MAX,
    });
    await sendContent(writer, backup[0]!);
    await until(() => library.progress.length > 0);
    const end = async () => {
      await writer.seal(backup[0]!.claim);
      await writer.finish(totalsOf(backup));
      return (await outcome).status;
    };
    return end;
  };
  const made = () => [...catalog.committed.values()].filter((one) => one.imageId === IMAGE_ID);

  it('waits for those that are in the spool, and comes to its end', async () => {
    const end = await holder();
    const result = library.atWork(() => synthesis().run());
    await Promise.race([untilItWaits(), result]);
    expect(await end()).toBe(0);
    expect(await result).toMatchObject({ status: 0, files: 2 });
    expect(isWaiting()).toBe(true);
    expect(made().length).toBeGreaterThan(2);
  });

  it('does not wait any more when it is cancelled, and takes nobody its place', async () => {
    const end = await holder();
    const run = synthesis();
    const result = library.atWork(() => run.run());
    await untilItWaits();
    run.cancel();
    expect(await result).toMatchObject({ status: 150 });
    expect(await end()).toBe(0);
    expect(await library.atWork(() => synthesis().run())).toMatchObject({ status: 0 });
  });
});
