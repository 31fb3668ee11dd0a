import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  catalogFiles,
  catalogImage,
  imageAbandon,
  imageBegin,
  imageFinish,
  type FileView,
  type ImageView,
} from '#contracts/image.js';
import { catalogFragmentOffer } from '#contracts/fragment.js';
import type { Requests } from '#messaging/requests.js';
import { until } from '../../../../test/support/until.js';
import { tryBlocksAlone } from '../persistence/files/block-locks.js';
import { CatalogHarness, OTHER_MEDIA } from '../testing/catalog-harness.js';
import { commitOf, MEDIA } from '../testing/commit.js';
import { line, treeLines } from '../testing/index-lines.js';
import { indexObject, IndexPort, sealed, type IndexObject } from '../testing/index-port.js';

/** A Zstandard frame that every reader passes over. */
const SKIPPABLE = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

describe('the file index', () => {
  let cluster: CatalogHarness;
  let jobs: Requests;
  let operator: Requests;
  const port = new IndexPort();
  const completed: string[] = [];
  let job = 0;

  beforeAll(async () => {
    cluster = await CatalogHarness.start();
    const observer = await cluster.connect('observer');
    observer.connection.subscribe('hf.evt.v1.image.completed.>', {
      callback: (_, message) => void completed.push(message.json<{ subject: string }>().subject),
    });
    await port.open(observer, MEDIA);
    await cluster.startCatalog();
    await cluster.startCatalog();
    jobs = await cluster.requests();
    operator = await cluster.requests('operator');
  });

  afterAll(async () => {
    await port.close();
    await cluster?.stop();
  });

  async function begin(client = 'web1'): Promise<string> {
    const { imageId } = await jobs.call(imageBegin, {
      ...{ job: (job += 1), client, policy: 'files', schedule: 'full', kind: 'full' },
      ...{ selections: ['/etc'], retention: '14d', unit: 'default', pool: 'default' },
      mediaId: MEDIA,
    });
    return imageId;
  }

  async function commit(
    imageId: string,
    number: number,
    index: IndexObject,
    { mediaId = MEDIA, copy = 1, isAway = false } = {},
  ): Promise<void> {
    const indexed = { indexBytes: index.bytes.length, indexDigest: index.digest };
    const offer = commitOf({ imageId, copy, number, mediaId, ...indexed });
    port.objects.set(offer.fragmentId, index.bytes);
    if (isAway) port.away.add(offer.fragmentId);
    const media = await cluster.requests(`media-${mediaId}`);
    await media.call(catalogFragmentOffer, { mediaId, commits: [offer] });
  }

  function finish(imageId: string, fragments: number) {
    const request = { imageId, copy: 1, copyAttempt: 1, kind: 'full', fragments } as const;
    return jobs.call(imageFinish, { ...request, files: 3, bytes: 99 });
  }

  async function view(imageId: string): Promise<ImageView> {
    return (await operator.call(catalogImage, { imageId })).image;
  }

  function complete(imageId: string): Promise<ImageView> {
    return until(() => view(imageId), { is: ({ state }) => state === 'COMPLETE' });
  }

  async function filesOf(imageId: string): Promise<FileView[]> {
    return (await operator.call(catalogFiles, { imageId, limit: 1_000 })).files;
  }

  it('holds every kind of entry as it was', async () => {
    const imageId = await begin();
    const own = { offset: 9_000, length: 512 };
    const odd = Buffer.from('odd\n\tname\\ \xff \u00e9', 'latin1').toString('latin1');
    const lines = [
      line({ type: 'd', path: '', mode: 0o1755 }),
      line({ type: 'd', path: 'etc' }),
      line({ type: 'l', path: 'etc/link', target: '../a\\b c', mode: 0o777 }),
      line({ path: 'etc/old', mtimeNs: '-1', size: Number.MAX_SAFE_INTEGER }),
      line({ path: `etc/${odd}`, mtimeNs: '13569465600123456789' }),
      line({ path: 'etc/passwd', mode: 0o4644, uid: 4_294_967_294, flags: 'sm' }),
      line({ type: 'h', path: 'etc/twin', target: 'etc/the first', own }),
      line({ type: 'x', path: 'etc/gone', offset: -1, length: -1 }),
      line({ type: 'c', path: 'etc/zero', deviceMajor: 1, deviceMinor: 5 }),
    ];
    await commit(imageId, 1, await indexObject(lines));
    await finish(imageId, 1);
    await complete(imageId);
    const files = await filesOf(imageId);
    expect(files.map(({ path, type }) => `${type} ${path}`)).toEqual([
      'd /',
      'd /etc',
      'x /etc/gone',
      'l /etc/link',
      'f /etc/odd\\x0a\\x09name\\\\ \\xff \\xe9',
      'f /etc/old',
      'f /etc/passwd',
      'h /etc/twin',
      'c /etc/zero',
    ]);
    const byPath = new Map(files.map((file) => [file.path, file]));
    expect(byPath.get('/')).toMatchObject({
      mode: '1755',
      mtime: '2023-11-14T22:13:20.123456789Z',
    });
    expect(byPath.get('/etc/link')!.target).toBe('../a\\\\b c');
    expect(byPath.get('/etc/twin')!.target).toBe('/etc/the first');
    expect(byPath.get('/etc/old')).toMatchObject({
      mtime: '1969-12-31T23:59:59.999999999Z',
      size: Number.MAX_SAFE_INTEGER,
    });
    expect(byPath.get('/etc/odd\\x0a\\x09name\\\\ \\xff \\xe9')).toMatchObject({
      mtime: '2400-01-01T00:00:00.123456789Z',
    });
    expect(byPath.get('/etc/passwd')).toMatchObject({ uid: 4_294_967_294, mode: '4644' });
  });

  it('of several fragments makes the image complete, once and only when all is there', async () => {
    const imageId = await begin();
    const whole = treeLines(30_000, 'srv');
    const parts = [whole.slice(0, 13_000), whole.slice(13_000, 26_000), whole.slice(26_000)];
    const indexes = await Promise.all(parts.map(indexObject));
    await commit(imageId, 3, indexes[2]!);
    await commit(imageId, 1, indexes[0]!);
    const early = await finish(imageId, 3);
    expect(early).toEqual({
      complete: false,
      waitsFor: 'the commit of fragment 2 of 3',
      uncommitted: 1,
    });
    expect((await view(imageId)).state).toBe('IN_PROCESS');
    await commit(imageId, 2, indexes[1]!);
    await complete(imageId);
    expect(await finish(imageId, 3)).toMatchObject({ complete: true, waitsFor: '' });
    const [count] = await cluster.database.query<{ count: string }[]>(
      `SELECT sum(t.entries) AS count FROM file_tree t JOIN image i ON i.number = t.image_number
       WHERE i.image_id = $1`,
      [imageId],
    );
    expect(count).toEqual({ count: '30000' });
    await until(() => completed.includes(imageId));
    // A job that ends badly after that changes nothing about what is there.
    await jobs.call(imageAbandon, { imageId, job });
    expect((await view(imageId)).state).toBe('COMPLETE');
    expect(completed.filter((id) => id === imageId)).toHaveLength(1);
  });

  it('is read again when the connection breaks in the middle, and leaves no half of it', async () => {
    const imageId = await begin();
    port.cuts = 2;
    await commit(imageId, 1, await indexObject(treeLines(40_000, 'var')));
    await finish(imageId, 1);
    await complete(imageId);
    expect(port.cuts).toBe(0);
    expect((await filesOf(imageId)).length).toBe(1_000);
  });

  it('that is damaged holds up no other, and says what it is', async () => {
    const cases = {
      'its digest': { ...(await indexObject([line({ path: 'a' })])), digest: '00'.repeat(32) },
      'No Zstandard frame': sealed(Buffer.from('this is no index at all')),
      'middle of a frame': sealed((await indexObject([line({ path: 'a' })])).bytes.subarray(0, 20)),
      'neither lines nor the frame table': sealed(
        Buffer.concat([SKIPPABLE, (await indexObject([line({ path: 'a' })])).bytes]),
      ),
      'no index line': await indexObject(['f\tetc/passwd\n']),
      'it has /a twice': await indexObject([line({ path: 'a' }), line({ path: 'a' })]),
      'out of range': await indexObject([
        line({ path: 'a' }).replace(/^f\ta\t\d+/, `f\ta\t${'9'.repeat(19)}`),
      ]),
    };
    const damaged: [string, string][] = [];
    for (const [what, index] of Object.entries(cases)) {
      const imageId = await begin('damaged');
      await commit(imageId, 1, index);
      damaged.push([what, imageId]);
    }
    const good = await begin('damaged');
    await commit(good, 1, await indexObject([line({ path: 'a' })]));
    await finish(good, 1);
    await complete(good);
    for (const [what, imageId] of damaged) {
      const { waitsFor } = await until(() => finish(imageId, 1), {
        is: (answer) => answer.waitsFor.includes('('),
      });
      expect(waitsFor).toContain('The file index is damaged');
      expect(waitsFor).toContain(what);
    }
  });

  describe('that comes with its commit', () => {
    const commitWith = async (imageId: string, index: IndexObject, sent = index.bytes) => {
      const indexed = { indexBytes: index.bytes.length, indexDigest: index.digest };
      const offer = commitOf({ imageId, mediaId: MEDIA, ...indexed });
      const media = await cluster.requests(`media-${MEDIA}`);
      const commits = [{ ...offer, index: sent.toString('base64') }];
      const { receipts } = await media.call(catalogFragmentOffer, { mediaId: MEDIA, commits });
      expect(receipts.map(({ verdict }) => verdict)).toEqual(['COMMITTED']);
      return offer;
    };

    it('is loaded by it, before anybody could fetch it', async () => {
      const index = await indexObject([line({ path: 'a' }), line({ path: 'a\\b' })]);
      const imageId = await begin();
      await commitWith(imageId, index);
      expect(await finish(imageId, 1)).toMatchObject({ complete: true });
      expect((await filesOf(imageId)).map(({ path }) => path)).toEqual(['/a', '/a\\\\b']);
      // The other way round, too: then the commit completes the image.
      const early = await begin();
      await finish(early, 1);
      await commitWith(early, index);
      expect((await view(early)).state).toBe('COMPLETE');
    });

    it('is left to the loader while its client’s blocks are swept, and no commit waits for that', async () => {
      const index = await indexObject([line({ path: 'later' })]);
      const imageId = await begin('swept');
      await cluster.database.transaction(async (db) => {
        expect(await tryBlocksAlone(db, 'swept')).toBe(true);
        const { fragmentId } = await commitWith(imageId, index);
        port.objects.set(fragmentId, index.bytes);
        expect(await finish(imageId, 1)).toMatchObject({ complete: false, uncommitted: 0 });
      });
      await complete(imageId);
      expect((await filesOf(imageId)).map(({ path }) => path)).toEqual(['/later']);
    });

    it('and is damaged stops no commit, and is fetched', async () => {
      const index = await indexObject([line({ path: 'whole' })]);
      const imageId = await begin();
      const damaged = Buffer.from(index.bytes);
      damaged[damaged.length - 1]! ^= 1;
      const { fragmentId } = await commitWith(imageId, index, damaged);
      expect(await finish(imageId, 1)).toMatchObject({ complete: false, uncommitted: 0 });
      port.objects.set(fragmentId, index.bytes);
      await complete(imageId);
      expect((await filesOf(imageId)).map(({ path }) => path)).toEqual(['/whole']);
    });

    it('and has lines that cannot be stops no commit either', async () => {
      const index = await indexObject([line({ path: 'twice' }), line({ path: 'twice' })]);
      const imageId = await begin();
      const { fragmentId } = await commitWith(imageId, index);
      port.objects.set(fragmentId, index.bytes);
      const { waitsFor } = await until(() => finish(imageId, 1), {
        is: (answer) => answer.waitsFor.includes('('),
      });
      expect(waitsFor).toContain('it has /twice twice');
      expect(await filesOf(imageId)).toEqual([]);
    });

    it('is left to the loader where the image has something already', async () => {
      const imageId = await begin();
      await commit(imageId, 1, await indexObject([line({ path: 'first' })]));
      const index = await indexObject([line({ path: 'second' })]);
      const indexed = { indexBytes: index.bytes.length, indexDigest: index.digest };
      const offer = commitOf({ imageId, number: 2, mediaId: MEDIA, ...indexed });
      const media = await cluster.requests(`media-${MEDIA}`);
      const commits = [{ ...offer, index: index.bytes.toString('base64') }];
      await media.call(catalogFragmentOffer, { mediaId: MEDIA, commits });
      expect(await finish(imageId, 2)).toMatchObject({ complete: false, uncommitted: 0 });
      port.objects.set(offer.fragmentId, index.bytes);
      await complete(imageId);
      expect(await filesOf(imageId)).toHaveLength(2);
    });
  });

  it('waits for a media server that is away, and for that one only', async () => {
    const elsewhere = await begin('away');
    await commit(elsewhere, 1, await indexObject([line({ path: 'b' })]), {
      mediaId: OTHER_MEDIA,
    });
    await finish(elsewhere, 1);
    const here = await begin('away');
    await commit(here, 1, await indexObject([line({ path: 'a' })]));
    await finish(here, 1);
    await complete(here);
    expect((await view(elsewhere)).state).toBe('IN_PROCESS');
    const other = new IndexPort();
    for (const [id, bytes] of port.objects) other.objects.set(id, bytes);
    await other.open(await cluster.connect('observer'), OTHER_MEDIA);
    await complete(elsewhere);
    await other.close();
  });

  it('waits for a volume that is away, and holds up no other of its media server', async () => {
    const vaulted: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      const imageId = await begin('vaulted');
      vaulted.push(imageId);
      await commit(imageId, 1, await indexObject([line({ path: `v${n}` })]), { isAway: true });
      await finish(imageId, 1);
    }
    const here = await begin('vaulted');
    await commit(here, 1, await indexObject([line({ path: 'here' })]));
    await finish(here, 1);
    await complete(here);
    const { waitsFor } = await until(() => finish(vaulted[0]!, 1), {
      is: (answer) => answer.waitsFor.includes('('),
    });
    expect(waitsFor).toContain('not in the library');
    port.away.clear();
    for (const imageId of vaulted) await complete(imageId);
  });

  it('comes from another copy where the media server of the first one is away', async () => {
    const imageId = await begin('copied');
    const index = await indexObject([line({ path: 'a' })]);
    // As an import from storage finds it: two copies of what no catalog has an index of.
    await cluster.database.query(
      `INSERT INTO image_copy (image_id, copy, attempt, job_attempt, unit, pool, media_id)
       VALUES ($1, 2, 1, 1, 'default', 'default', $2)`,
      [imageId, MEDIA],
    );
    await commit(imageId, 1, index, { mediaId: OTHER_MEDIA });
    await commit(imageId, 1, index, { copy: 2 });
    await finish(imageId, 1);
    await complete(imageId);
    expect(await filesOf(imageId)).toHaveLength(1);
    const pending = () =>
      cluster.database.query<unknown[]>(
        `SELECT 1 FROM fragment WHERE image_id = $1 AND index_loaded_at IS NULL`,
        [imageId],
      );
    // That of the first copy is known by that, once its media server has its turn again.
    await until(pending, { is: (rows) => rows.length === 0 });
    expect(await filesOf(imageId)).toHaveLength(1);
  });
});
