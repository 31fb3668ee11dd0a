import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { until } from '../../../../test/support/until.js';
import { TestMediaServer } from '../testing/media-server.js';
import { sampleBackup, sendContent, type SampleFragment } from '../testing/sample-backup.js';

describe('A late fragment of a large image', () => {
  let folder: TestFolder;
  let media: TestMediaServer;
  let fragment: SampleFragment;
  /** As if it were the session's fragment with that number. */
  const write = async (number: number) => {
    const bytes = fragment.frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
    const fragmentBytesMax = Math.floor(bytes / 1.5);
    const resume = { nextNumber: number, archiveOffset: 0 };
    const { writer, outcome } = await media.write({ fragmentBytesMax, resume });
    await sendContent(writer, fragment);
    await writer.seal({ ...fragment.claim, number, last: false });
    writer.close();
    return outcome;
  };
  beforeAll(async () => {
    [fragment] = (await sampleBackup({
      ...{ fragments: 1, framesEach: 4, frameBytes: 100_000 },
    })) as [SampleFragment];
  });
  beforeEach(async () => {
    folder = testFolder();
    media = await TestMediaServer.start({ folder: folder.path });
  });
  afterEach(async () => {
    await media.stop();
    folder.dispose();
  });

  it('may be larger than its storage unit allows, which one before may not', async () => {
    await expect(write(50_000)).rejects.toMatchObject({ status: 84 });
    await write(50_001);
    await until(() => media.offers.open === 0);
    expect(media.volumes.countByState()).toMatchObject({ COMMITTED: 1 });
  });

  it('is refused where there is no number for it, by the field to raise, and not journalled', async () => {
    await expect(write(100_000)).rejects.toMatchObject({
      status: 20,
      message: expect.stringMatching(/at most 99999 fragments.*fragmentBytesMax/),
    });
    expect(media.volumes.countByState()).toEqual({});
  });
});
