import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { imageExpire, imageUndelete } from '#contracts/catalog/expiry.js';
import type { RequestOf } from '#contracts/contract.js';
import {
  catalogChain,
  catalogFiles,
  catalogFind,
  catalogFragments,
  catalogImage,
  catalogImages,
  imageAbandon,
  imageBegin,
  imageFinish,
} from '#contracts/image.js';
import { catalogFragmentOffer } from '#contracts/fragment.js';
import { SystemClock } from '#kernel/clock.js';
import type { Requests } from '#messaging/requests.js';
import { until } from '../../../test/support/until.js';
import { KeptListings } from './kept-listings.js';
import { CatalogHarness } from './testing/catalog-harness.js';
import { commitOf, MEDIA } from './testing/commit.js';
import { line, treeLines } from './testing/index-lines.js';
import { indexObject, IndexPort } from './testing/index-port.js';

describe('images', () => {
  let cluster: CatalogHarness;
  let jobs: Requests;
  let media: Requests;
  let operator: Requests;
  const port = new IndexPort();
  let job = 0;

  beforeAll(async () => {
    cluster = await CatalogHarness.start();
    await port.open(await cluster.connect('observer'), MEDIA);
    await cluster.startCatalog();
    jobs = await cluster.requests();
    media = await cluster.requests(`media-${MEDIA}`);
    operator = await cluster.requests('operator');
  });

  afterAll(async () => {
    await port.close();
    await cluster?.stop();
  });

  type Begin = RequestOf<typeof imageBegin>;

  function begin(changes: Partial<Begin> = {}) {
    return jobs.call(imageBegin, {
      ...{ job: (job += 1), client: 'web1', policy: 'files', schedule: 's', kind: 'full' },
      ...{ selections: ['/etc', '/srv'], retention: '14d', unit: 'default', pool: 'default' },
      mediaId: MEDIA,
      ...changes,
    });
  }

  /** A whole backup of one fragment with these paths. */
  function backup(changes: Partial<Begin> = {}, paths = ['etc', 'etc/passwd']) {
    return backupOf(
      changes,
      paths.map((path) => line({ path })),
    );
  }

  async function backupOf(changes: Partial<Begin>, lines: readonly string[]) {
    const image = await begin(changes);
    const index = await indexObject(lines);
    const offer = commitOf({
      ...{ imageId: image.imageId, indexBytes: index.bytes.length, indexDigest: index.digest },
    });
    port.objects.set(offer.fragmentId, index.bytes);
    await media.call(catalogFragmentOffer, { mediaId: MEDIA, commits: [offer] });
    await finish(image.imageId, image.kind);
    await until(async () => (await operator.call(catalogImage, image)).image.state, {
      is: (state) => state === 'COMPLETE',
    });
    return image;
  }

  /** As if each image of a client had begun when its id says; they began within a second or two. */
  async function spread(client: string): Promise<void> {
    await cluster.database.query(
      'UPDATE image SET begun_at = to_timestamp(backup_time) WHERE client = $1',
      [client],
    );
  }

  /** What an agent would be told that has not been told for a while. */
  async function kept(client: string, policy: string): Promise<string[]> {
    return (await new KeptListings(cluster.database, new SystemClock()).of(client, policy))!;
  }

  function finish(imageId: string, kind: Begin['kind']) {
    const totals = { fragments: 1, files: 2, bytes: 84 };
    return jobs.call(imageFinish, { imageId, copy: 1, copyAttempt: 1, kind, ...totals });
  }

  it('are begun once for each job, with a second of their own', async () => {
    const [first, second] = await Promise.all([begin({ job: 901 }), begin({ job: 902 })]);
    expect(second.imageId).not.toBe(first.imageId);
    expect(first.imageId).toBe(`web1_${first.backupTime}`);
    expect(first).toMatchObject({ copy: 1, copyAttempt: 1, kind: 'full', baseImageId: null });
    const { keepListings, ...again } = await begin({ job: 901 });
    expect(first).toMatchObject(again);
    // It was told a moment ago.
    expect(keepListings).toBeNull();
    expect((await kept('web1', 'files')).sort()).toEqual([first.imageId, second.imageId].sort());
  });

  it('of another client or policy are not gone on with, whatever the number of their job', async () => {
    const other = await backup({ job: 905, client: 'web2' });
    const third = await begin({ job: 905, policy: 'other' });
    expect(third.imageId).not.toBe(other.imageId);
    const own = await begin({ job: 905, attempt: 2 });
    expect(own).toMatchObject({ imageId: expect.stringMatching(/^web1_/), nextNumber: 1 });
    expect(own.imageId).not.toBe(third.imageId);
    const state = async (imageId: string) => (await operator.call(catalogImage, { imageId })).image;
    expect(await state(other.imageId)).toMatchObject({ state: 'COMPLETE', job: 0 });
    expect(await state(third.imageId)).toMatchObject({ state: 'INCOMPLETE', job: 0 });
    expect(await state(own.imageId)).toMatchObject({ state: 'IN_PROCESS', job: 905 });
    await jobs.call(imageAbandon, { imageId: own.imageId, job: 905 });
  });

  it('that are abandoned are INCOMPLETE and cannot be finished any more', async () => {
    const { imageId } = await begin({ job: 903 });
    const stranger = jobs.call(imageAbandon, { imageId, job: 904 });
    await expect(stranger).rejects.toMatchObject({ status: 229 });
    await jobs.call(imageAbandon, { imageId, job: 903 });
    await jobs.call(imageAbandon, { imageId, job: 903 });
    const { image } = await operator.call(catalogImage, { imageId });
    expect(image.state).toBe('INCOMPLETE');
    await expect(finish(imageId, 'full')).rejects.toMatchObject({ status: 229 });
  });

  it('build on the last complete one of the same client, policy and selections', async () => {
    const lineage = { client: 'db1', policy: 'nightly' };
    const alone = await backup({ ...lineage, kind: 'differential' });
    expect(alone).toMatchObject({ kind: 'full', baseImageId: null });
    const second = await backup({ ...lineage, kind: 'differential' });
    const third = await backup({ ...lineage, kind: 'differential', selections: ['/srv', '/etc'] });
    expect(third).toMatchObject({ kind: 'differential', baseImageId: second.imageId });
    const cumulative = await backup({ ...lineage, kind: 'cumulative' });
    expect(cumulative).toMatchObject({ kind: 'cumulative', baseImageId: alone.imageId });
    const bases = [cumulative, alone].map(({ imageId }) => imageId);
    expect(await kept('db1', 'nightly')).toEqual(bases);
    const elsewhere = await begin({ ...lineage, kind: 'differential', selections: ['/etc'] });
    expect(elsewhere).toMatchObject({ kind: 'full', baseImageId: null });
    await jobs.call(imageAbandon, { imageId: elsewhere.imageId, job });
    // Neither what is being made nor what was abandoned is ever a base.
    const next = await begin({ ...lineage, kind: 'differential' });
    expect(next.baseImageId).toBe(cumulative.imageId);

    const chain = async (input: RequestOf<typeof catalogChain>) =>
      (await jobs.call(catalogChain, input)).images.map(({ imageId }) => imageId);
    const ids = [alone, second, third].map(({ imageId }) => imageId);
    expect(await chain({ imageId: third.imageId, exact: false })).toEqual(ids);
    expect(await chain({ imageId: third.imageId, exact: true })).toEqual(ids.slice(2));
    const short = [alone.imageId, cumulative.imageId];
    expect(await chain({ imageId: cumulative.imageId, exact: false })).toEqual(short);
    await spread('db1');
    const at = new Date(second.backupTime * 1_000).toISOString();
    expect(await chain({ client: 'db1', at })).toEqual(ids.slice(0, 2));
    const far = '2100-01-01T00:00:00.000Z';
    expect(await chain({ client: 'db1', at: far, policy: 'nightly' })).toEqual(short);
    await expect(chain({ imageId: next.imageId, exact: false })).rejects.toMatchObject({
      status: 229,
      message: expect.stringContaining('is not complete (IN_PROCESS)'),
    });
    await backup({ client: 'db1', policy: 'weekly' });
    await expect(chain({ client: 'db1', at: far })).rejects.toMatchObject({
      status: 190,
      message: expect.stringContaining('nightly, weekly'),
    });
    await expect(chain({ client: 'db1', at: '2001-01-01T00:00:00.000Z' })).rejects.toMatchObject({
      status: 190,
    });
    await expect(chain({ client: 'nobody', at: far })).rejects.toMatchObject({ status: 243 });
  });

  it('build on none of which a restore is not possible, for what that one builds on', async () => {
    const lineage = { client: 'db2', policy: 'nightly' };
    const full = await backup(lineage);
    const second = await backup({ ...lineage, kind: 'differential' });
    const third = await backup({ ...lineage, kind: 'differential' });
    const next = async () => {
      const { kind, baseImageId, brokenBase } = await begin({ ...lineage, kind: 'differential' });
      return { kind, baseImageId, brokenBase };
    };
    const good = { kind: 'differential', baseImageId: third.imageId, brokenBase: undefined };
    const anew = { kind: 'full', baseImageId: null, brokenBase: third.imageId };
    expect(await next()).toEqual(good);
    const mark = (state: string) =>
      cluster.database.query('UPDATE fragment SET state = $2 WHERE image_id = $1', [
        ...[full.imageId, state],
      ]);
    await mark('DAMAGED');
    expect(await next()).toEqual(anew);
    await mark('ACTIVE');
    expect(await next()).toEqual(good);
    // As if storage had been imported that lacks the one in between.
    await cluster.database.query('DELETE FROM fragment WHERE image_id = $1', [second.imageId]);
    await cluster.database.query('DELETE FROM image_copy WHERE image_id = $1', [second.imageId]);
    await cluster.database.query('DELETE FROM image WHERE image_id = $1', [second.imageId]);
    expect(await next()).toEqual(anew);
  });

  describe('of several streams', () => {
    const far = '2100-01-01T00:00:00.000Z';
    const stream = (path: string, group: number, more: Partial<Begin> = {}) => {
      const kind = 'differential' as const;
      const run = { client: 'many1', policy: 'streams', group, groupStreams: 3 };
      return { kind, selections: [path], ...run, ...more };
    };
    const at = async (when: string, client = 'many1') => {
      const { images, streams } = await jobs.call(catalogChain, { client, at: when });
      const ids = images.map(({ imageId }) => imageId);
      return streams.map((length) => ids.splice(0, length));
    };
    const ids = (...chain: { imageId: string }[]) => chain.map(({ imageId }) => imageId);

    it('make up a client together, also while a run is on its way or has failed in part', async () => {
      const a1 = await backup(stream('/a', 500));
      const b1 = await backup(stream('/b', 500, { selections: ['/b', '/c'] }));
      expect(await at(far)).toEqual([ids(a1), ids(b1)]);
      const missing = async () =>
        (await jobs.call(catalogChain, { client: 'many1', at: far })).missingStreams;
      expect(await missing()).toBe(1);
      const d1 = await backup(stream('/d', 500));
      expect(await missing()).toBe(0);
      const whole = new Date(d1.backupTime * 1_000).toISOString();
      expect(await at(far)).toEqual([ids(a1), ids(b1), ids(d1)]);
      // The next run has begun one stream of its three, in another order of the same selections.
      const b2 = await backup(stream('/b', 600, { selections: ['/c', '/b'] }));
      expect(b2.baseImageId).toBe(b1.imageId);
      await spread('many1');
      expect((await kept('many1', 'streams')).sort()).toEqual(ids(a1, b1, d1, b2).sort());
      expect(await at(far)).toEqual([ids(a1), ids(d1), ids(b1, b2)]);
      expect(await at(whole)).toEqual([ids(a1), ids(b1), ids(d1)]);
      const failed = await begin(stream('/d', 600));
      await jobs.call(imageAbandon, { imageId: failed.imageId, job });
      const a2 = await backup(stream('/a', 600));
      expect(await at(far)).toEqual([ids(d1), ids(b1, b2), ids(a1, a2)]);
      const one = await jobs.call(catalogChain, { imageId: a2.imageId });
      expect(one.streams).toEqual([2]);
    });

    it('are all there at once, though they began within one second and their ids say later ones', async () => {
      const paths = ['/a', '/b', '/c', '/d', '/e', '/f'];
      const run = async (group: number) => {
        const made: { imageId: string }[] = [];
        for (const path of paths) {
          const more = { client: 'quick1', groupStreams: paths.length };
          made.push(await backup(stream(path, group, more)));
        }
        return made;
      };
      const fulls = await run(800);
      const chains = (await run(900)).map((image, at) => ids(fulls[at]!, image));
      const soon = new Date().toISOString();
      expect(await at(soon, 'quick1')).toEqual(chains);
    });

    it('that a later run has dropped do not come back', async () => {
      const less = { groupStreams: 1, group: 700 };
      const a3 = await backup(stream('/a', 700, less));
      const dropped = await at(far);
      expect(dropped).toHaveLength(1);
      expect(dropped[0]!.at(-1)).toBe(a3.imageId);
      // A stream of an older run that is run again is none of the latest.
      await backup(stream('/b', 600, { selections: ['/b', '/c'] }));
      expect((await at(far)).map((chain) => chain.at(-1))).toEqual([a3.imageId]);
      const alone = await backup({ client: 'many1', policy: 'streams', selections: ['/e'] });
      expect(await at(far)).toEqual([ids(alone)]);
    });
  });

  it('have a keyword to be found by, and may be kept for ever', async () => {
    const kept = await backup({
      client: 'key1',
      keyword: 'before the move',
      retention: 'infinite',
    });
    await backup({ client: 'key1' });
    const { images } = await operator.call(catalogImages, { keyword: 'before the move' });
    expect(images).toMatchObject([
      { imageId: kept.imageId, keyword: 'before the move', expiresAt: null },
    ]);
    expect(kept.details).toMatchObject({ keyword: 'before the move', retention: 'infinite' });
    const dry = { imageId: kept.imageId, dryRun: true };
    const { decisions } = await operator.call(imageExpire, dry);
    expect(decisions).toMatchObject([{ decision: 'keep' }]);
    expect(decisions[0]!.reasons).toContain('never expires');
    await operator.call(imageExpire, { ...dry, dryRun: false, now: true });
    const back = await operator.call(imageUndelete, { imageId: kept.imageId });
    expect(back.expiresAt).toBeNull();
  });

  it('become fulls where the agent had to make one', async () => {
    const lineage = { client: 'app1', policy: 'p' };
    await backup(lineage);
    const { imageId } = await begin({ ...lineage, kind: 'differential' });
    const offer = commitOf({ imageId });
    await media.call(catalogFragmentOffer, { mediaId: MEDIA, commits: [offer] });
    expect(await finish(imageId, 'full')).toMatchObject({ complete: false });
    await expect(finish(imageId, 'differential')).rejects.toMatchObject({ status: 229 });
    const { image } = await operator.call(catalogImage, { imageId });
    expect(image).toMatchObject({ kind: 'full', baseImageId: null, files: 2, bytes: 84 });
  });

  it('are listed newest first, page by page, with their fragments', async () => {
    const { images } = await operator.call(catalogImages, { client: 'db1' });
    const ids = images.map(({ imageId }) => imageId);
    const page = await operator.call(catalogImages, { client: 'db1', before: ids[1], limit: 2 });
    expect(page.images.map(({ imageId }) => imageId)).toEqual(ids.slice(2, 4));
    const times = images.map(({ backupTime }) => backupTime);
    expect(times).toEqual([...times].sort().reverse());
    const whole = images.find(({ state }) => state === 'COMPLETE')!;
    const { fragments } = await operator.call(catalogFragments, whole);
    expect(fragments).toEqual([
      expect.objectContaining({ number: 1, state: 'ACTIVE', mediaId: MEDIA, attempt: 1 }),
    ]);
    const none = await operator.call(catalogFragments, { ...whole, afterNumber: 1 });
    expect(none.fragments).toEqual([]);
  });

  it('and what is in them can be found, and what is not there is said so', async () => {
    const paths = ['srv', 'srv/a', 'srv/a.txt', 'srv/a/b.txt', 'srv/ab', 'srv/ab/100%_x'];
    const first = await backup({ client: 'fs1' }, paths);
    const second = await backup({ client: 'fs1' }, paths.slice(0, 3));
    const list = async (request: Omit<RequestOf<typeof catalogFiles>, 'imageId' | 'limit'>) => {
      const page = { imageId: first.imageId, limit: 3, ...request };
      return (await operator.call(catalogFiles, page)).files.map(({ path }) => path);
    };
    expect(await list({})).toEqual(['/srv', '/srv/a', '/srv/a.txt']);
    expect(await list({ after: '/srv/a.txt' })).toEqual([
      '/srv/ab',
      '/srv/a/b.txt',
      '/srv/ab/100%_x',
    ]);
    expect(await list({ prefix: 'srv/a' })).toEqual(['/srv/a', '/srv/a/b.txt']);
    expect(await list({ prefix: '/srv/a/', after: '/srv/a' })).toEqual(['/srv/a/b.txt']);
    expect(await list({ prefix: '/' })).toHaveLength(3);
    const find = async (pattern: string, limit = 100) => {
      const found = await operator.call(catalogFind, { pattern, client: 'fs1', limit });
      return found.files
        .map(({ imageId, path }) => `${imageId} ${path}`)
        .concat(found.truncated ? ['...'] : []);
    };
    const [one, two] = [first.imageId, second.imageId];
    expect(await find('a.txt')).toEqual([`${two} /srv/a.txt`, `${one} /srv/a.txt`]);
    expect(await find('/srv/a.txt', 1)).toEqual([`${two} /srv/a.txt`, '...']);
    expect(await find('100%_?')).toEqual([`${one} /srv/ab/100%_x`]);
    expect(await find('srv/a/*')).toEqual([`${one} /srv/a/b.txt`]);
    expect(await find('*/b.txt')).toEqual([`${one} /srv/a/b.txt`]);
    expect(await find('/s*b')).toEqual([`${one} /srv/ab`]);
    expect(await find('nothing*')).toEqual([]);
    const missing = operator.call(catalogFiles, { imageId: 'nobody_1' });
    await expect(missing).rejects.toMatchObject({
      status: 227,
      message: 'There is no image "nobody_1". "holdfast images" lists them.',
    });
    const nobody = operator.call(catalogImages, { client: 'nobody' });
    await expect(nobody).rejects.toMatchObject({ status: 243 });
  });

  // Large images are read in another way than small ones.
  it.each([500, 12_000])('of %d entries are paged through in order', async (count) => {
    const lines = treeLines(count, 'srv/app');
    const { imageId } = await backupOf({ client: 'pages' }, lines);
    const byPlace = (a: string, b: string) => (placeKey(a) < placeKey(b) ? -1 : 1);
    const paths = lines.map((text) => `/${text.split('\t')[1]}`).sort(byPlace);
    const walk = async (prefix: string | undefined) => {
      const found: string[] = [];
      for (;;) {
        const after = found.at(-1);
        const page = await operator.call(catalogFiles, { imageId, prefix, after, limit: 977 });
        found.push(...page.files.map(({ path }) => path));
        if (page.files.length < 977) return found;
      }
    };
    expect(await walk(undefined)).toEqual(paths);
    expect(await walk('/srv/app')).toEqual(paths);
    const one = '/srv/app/package-000007';
    expect(await walk(one)).toEqual(paths.filter((path) => `${path}/`.startsWith(`${one}/`)));
  });
});

/** Sorts as lists do: the path of the folder, then the name. */
function placeKey(path: string): string {
  const slash = path.lastIndexOf('/');
  return `${path.slice(0, slash)}\0${path.slice(slash + 1)}`;
}
