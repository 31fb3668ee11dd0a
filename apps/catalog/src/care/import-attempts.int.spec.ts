import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Manifest } from '#archive/manifest.js';
import { catalogImport } from '#contracts/catalog/care.js';
import { catalogFragments } from '#contracts/image.js';
import { SystemClock } from '#kernel/clock.js';
import { uuidv7 } from '#kernel/ids.js';
import { MEDIA } from '../testing/commit.js';
import { PIECE_BYTES } from '../testing/image-maker.js';
import { line } from '../testing/index-lines.js';
import { indexObject } from '../testing/index-port.js';
import { MediaOnTheWire } from '../testing/media-on-the-wire.js';
import { useCatalog } from '../testing/use-catalog.js';

interface Place {
  readonly imageId: string;
  readonly number: number;
  readonly attempt: number;
  /** Of the last one: how many there are. */
  readonly fragments?: number;
}

const { cluster, maker } = await useCatalog();

describe('manifests of several attempts at a backup', () => {
  let media: MediaOnTheWire;

  beforeAll(async () => {
    media = new MediaOnTheWire(await cluster.connect('observer'), MEDIA);
    await media.listen();
  });

  beforeEach(() => {
    media.manifests.length = 0;
  });

  const ask = () => maker.operator.call(catalogImport, { mediaId: MEDIA });

  /** A fragment with an index that can be loaded. Nobody has heard of it but its media server. */
  async function lying({ imageId, number, attempt, fragments }: Place): Promise<Manifest> {
    const fragmentId = uuidv7(new SystemClock().now());
    await maker.commit({ imageId: 'nobody_1', number, fragmentId });
    const index = await indexObject([line({ path: `etc/file-${number}` })]);
    return {
      ...{ version: 1, fragmentId, imageId, copy: 1, number, attempt, client: 'web9' },
      ...{ policy: 'files', kind: 'full', backupTime: Number(imageId.split('_')[1]) },
      ...{ archiveOffset: (number - 1) * PIECE_BYTES, archiveBytes: PIECE_BYTES, frames: 1 },
      ...{ storedBytes: 500, digest: 'ab'.repeat(32) },
      ...{ indexBytes: index.bytes.length, indexDigest: index.digest },
      last: fragments !== undefined,
      ...(fragments !== undefined && { fragments, files: fragments, bytes: fragments }),
    };
  }

  async function active(imageId: string): Promise<string[]> {
    const { fragments } = await maker.operator.call(catalogFragments, { imageId, all: true });
    return fragments.filter(({ state }) => state === 'ACTIVE').map((each) => each.fragmentId);
  }

  it('do not get an attempt past the fence that the catalog knows', async () => {
    const job = maker.nextJob();
    const { imageId } = await maker.begin({ job });
    await maker.begin({ job, attempt: 2 });
    const late = await lying({ imageId, number: 1, attempt: 1 });
    media.manifests.push(late);
    const answer = await ask();
    expect(answer).toMatchObject({ fragments: 0, refused: [{ fragmentId: late.fragmentId }] });
    const successor = await maker.commit({ imageId, number: 1, attempt: 2 });
    expect(successor.verdict).toBe('COMMITTED');
  });

  it.each([
    ['in one page', 'web9_1001', false],
    ['in several pages', 'web9_1002', true],
  ])('give the image of the last one: %s', async (_, imageId, inPages) => {
    const first = await lying({ imageId, number: 1, attempt: 1 });
    const stale = await lying({ imageId, number: 2, attempt: 1, fragments: 2 });
    const second = await lying({ imageId, number: 2, attempt: 2 });
    const third = await lying({ imageId, number: 3, attempt: 2, fragments: 3 });
    media.manifests.push(first, stale);
    if (inPages) {
      await ask();
      await maker.state(imageId, 'COMPLETE');
      media.manifests.splice(0, 9, second);
      await ask();
      // How many there are is not known any more.
      await maker.state(imageId, 'INCOMPLETE');
      media.manifests.splice(0, 9, third);
    } else media.manifests.push(second, third);
    await ask();
    expect(await active(imageId)).toEqual([first, second, third].map((each) => each.fragmentId));
    expect(await maker.state(imageId, 'COMPLETE')).toMatchObject({ files: 3 });
    media.manifests.splice(0, 9, stale);
    await ask();
    expect((await active(imageId)).length).toBe(3);
  });
});
