import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Unavailable } from '#kernel/errors.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { until } from '../../../../test/support/until.js';
import { MemoryCatalog } from '../testing/memory-catalog.js';
import { TestMediaServer } from '../testing/media-server.js';
import { sampleBackup, sendContent } from '../testing/sample-backup.js';
import { drainCopy } from './drain.js';

const COPY = { imageId: 'web1_1790000000', copy: 1 };

describe('Draining a copy', () => {
  let folder: TestFolder;
  let media: TestMediaServer;
  let catalog: MemoryCatalog;
  let writer: Awaited<ReturnType<TestMediaServer['write']>>;
  beforeEach(async () => {
    folder = testFolder();
    catalog = new MemoryCatalog();
    // Nothing is committed before a test begins.
    catalog.brokerDown = true;
    catalog.inquiryDown = true;
    media = await TestMediaServer.start({ folder: folder.path, catalog });
    writer = await media.write();
    const backup = await sampleBackup({ fragments: 3, framesEach: 2, frameBytes: 20_000 });
    for (const fragment of backup.slice(0, 2)) {
      await sendContent(writer.writer, fragment);
      await writer.writer.seal(fragment.claim);
    }
    await sendContent(writer.writer, backup[2]!);
    // A seal may still be on its way when the next fragment comes.
    const isThere = () => {
      const { SEALED, INTENT } = media.volumes.countByState();
      return SEALED === 2 && INTENT === 1;
    };
    await until(isThere);
  });
  afterEach(async () => {
    await media.stop();
    folder.dispose();
  });

  const stopWriters = async () => {
    media.session!.cancel();
    await writer.outcome;
    return 0;
  };

  it('ends its writer and has the catalog commit what is sealed, without the broker', async () => {
    const { offers } = media;
    catalog.inquiryDown = false;
    expect(await drainCopy(COPY, { offers, stopWriters })).toBe(0);
    expect([...catalog.committed.values()].map(({ number }) => number)).toEqual([1, 2]);
    expect(await writer.outcome).toMatchObject({ status: 150, fragments: 2 });
    expect(media.volumes.countByState()).toEqual({ COMMITTED: 2 });
  });

  it('says how much is open when the catalog does not answer, in time', async () => {
    const { offers } = media;
    catalog.fragmentOffer = async () => {
      throw new Unavailable('no catalog');
    };
    const begun = Date.now();
    expect(await drainCopy(COPY, { offers, stopWriters, patienceMs: 1_000 })).toBe(2);
    expect(Date.now() - begun).toBeLessThan(5_000);
    catalog.fragmentOffer = () => new Promise(() => undefined);
    const again = Date.now();
    expect(await drainCopy(COPY, { offers, stopWriters, patienceMs: 1_000 })).toBe(2);
    expect(Date.now() - again).toBeLessThan(5_000);
    expect(media.volumes.countByState()).toEqual({ SEALED: 2 });
  });

  it('counts a writer that has not ended yet', async () => {
    const { offers } = media;
    catalog.inquiryDown = false;
    const still = async () => 1;
    expect(await drainCopy(COPY, { offers, stopWriters: still, patienceMs: 100 })).toBe(1);
  });

  it('leaves other copies alone', async () => {
    const { offers } = media;
    const other = { ...COPY, copy: 2 };
    expect(await drainCopy(other, { offers, stopWriters: async () => 0 })).toBe(0);
    expect(catalog.committed.size).toBe(0);
    await stopWriters();
  });
});
