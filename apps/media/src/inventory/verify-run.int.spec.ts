import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FragmentCommit } from '#contracts/fragment.js';
import type { JobProgress } from '#contracts/job.js';
import { Unavailable } from '#kernel/errors.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { MemoryCatalog } from '../testing/memory-catalog.js';
import { TestMediaServer } from '../testing/media-server.js';
import { MemorySources } from '../testing/memory-sources.js';
import { sampleBackup, sendBackup } from '../testing/sample-backup.js';
import { VerifyRun } from './verify-run.js';

describe('A verification', () => {
  let folder: TestFolder;
  let media: TestMediaServer;
  let sources: MemorySources;
  let fragments: FragmentCommit[];
  let progress: Partial<JobProgress>[];
  let log: string[];
  beforeEach(async () => {
    folder = testFolder();
    const catalog = new MemoryCatalog();
    media = await TestMediaServer.start({ folder: folder.path, catalog });
    for (const copy of [1, 2]) {
      const { writer } = await media.write({ copy });
      const shape = { fragments: 3, framesEach: 2, frameBytes: 20_000 };
      await sendBackup(writer, await sampleBackup(shape));
    }
    fragments = [...catalog.committed.values()];
    sources = new MemorySources();
    sources.add(fragments);
    sources.add(fragments.slice(0, 1).map((one) => ({ ...one, copy: 3, mediaId: 'elsewhere' })));
    sources.pageMax = 2;
    [progress, log] = [[], []];
  });
  afterEach(async () => {
    await media.stop();
    folder.dispose();
  });

  const runOf = async (copy?: number) =>
    new VerifyRun({
      task: {
        type: 'verify',
        job: 3,
        attempt: 1,
        imageId: 'web1_1790000000',
        ...(copy && { copy }),
      },
      mediaId: 'media1',
      holdings: await media.holdings(),
      catalog: sources,
      log: (severity, text) => void log.push(`${severity}: ${text}`),
      onProgress: (one) => void progress.push(one),
    });
  const fileOf = ({ copy, number, fragmentId }: FragmentCommit) =>
    join(folder.path, `images/web1_1790000000/c${copy}/0000${number}-${fragmentId}.tar.zst`);
  const ofCopy = (copy: number) => fragments.filter((one) => one.copy === copy);

  it('reads every fragment that lies here, and says how far it is', async () => {
    expect(await (await runOf()).run()).toMatchObject({ status: 0, fragments: 6 });
    expect(progress.at(-1)).toMatchObject({ fragments: 6, fragmentsTotal: 6, bytes: 240_000 });
    expect(await (await runOf(2)).run()).toMatchObject({ status: 0, fragments: 3 });
    expect(sources.suspects).toEqual([]);
  });

  it('names what is damaged or missing, and tells the catalog', async () => {
    const [, second, third] = ofCopy(2);
    const bytes = readFileSync(fileOf(second!));
    bytes[1_000]! ^= 1;
    writeFileSync(fileOf(second!), bytes);
    for (const suffix of ['.tar.zst', '.idx.zst', '.json']) {
      rmSync(fileOf(third!).replace('.tar.zst', suffix));
    }
    const result = await (await runOf()).run();
    expect(result).toMatchObject({ status: 1057, fragments: 6 });
    expect(result.message).toMatch(/fragments 2 of copy 2 \(damaged\), 3 of copy 2 \(missing\)$/);
    expect(sources.suspects).toEqual([second!.fragmentId, third!.fragmentId]);
    expect(log).toHaveLength(2);
    expect(await (await runOf(1)).run()).toMatchObject({ status: 0 });
  });

  it('says missing of what the catalog has here and nothing here knows', async () => {
    sources.add([{ ...fragments[0]!, fragmentId: '01920000-0000-7000-8000-0000000000ff' }]);
    expect(await (await runOf(1)).run()).toMatchObject({ status: 1057, fragments: 4 });
  });

  it('leaves out what is known to be damaged, once another one holds its number', async () => {
    const lost = { ...sources.views[0]!, fragmentId: '01920000-0000-7000-8000-0000000000fe' };
    sources.views.push({ ...lost, state: 'DAMAGED' });
    expect(await (await runOf(1)).run()).toMatchObject({ status: 0 });
    sources.views[0] = { ...sources.views[0]!, state: 'DAMAGED' };
    expect(await (await runOf(1)).run()).toMatchObject({ status: 1057 });
  });

  it('ends with the status of a catalog that is away, and can be cancelled', async () => {
    const run = await runOf();
    sources.fragments = async () => {
      throw new Unavailable('no catalog', 41);
    };
    expect(await run.run()).toMatchObject({ status: 41 });
    const cancelled = await runOf();
    cancelled.cancel();
    sources.fragments = async (_, after) =>
      after > 0 ? [] : [{ number: 1, sources: sources.views.slice(0, 1) }];
    expect(await cancelled.run()).toMatchObject({ status: 150 });
  });
});
