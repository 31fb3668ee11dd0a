import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Manifest } from '#archive/manifest.js';
import {
  catalogForgetVolume,
  catalogImport,
  catalogReconcile,
  catalogState,
} from '#contracts/catalog/care.js';
import { catalogPin, fragmentSuspect } from '#contracts/catalog/copy.js';
import { imageExpire } from '#contracts/catalog/expiry.js';
import { tombstone, type Tombstone } from '#contracts/fragment.js';
import {
  catalogChain,
  catalogFragments,
  catalogImage,
  type FragmentView,
} from '#contracts/image.js';
import type { InventoryEntry } from '#contracts/media.js';
import { jobsDuplicate } from '#contracts/job.js';
import { until } from '../../../../test/support/until.js';
import { MEDIA } from '../testing/commit.js';
import { MediaOnTheWire } from '../testing/media-on-the-wire.js';
import { useCatalog } from '../testing/use-catalog.js';

const CARE_EVERY_MS = 200;

const { cluster, maker } = await useCatalog({
  ...{ HOLDFAST_GRANT_EVERY: '50ms', HOLDFAST_DELETE_GRACE: '50ms' },
  HOLDFAST_CARE_EVERY: `${CARE_EVERY_MS}ms`,
});
let media: MediaOnTheWire;
const grants: Tombstone[] = [];
const repairs: { imageId: string; copy: number; requestId: string }[] = [];

beforeAll(async () => {
  const observer = await cluster.connect('observer');
  observer.connection.subscribe('hf.int.v1.frag.delete.>', {
    callback: (_, message) => void grants.push(tombstone.parse(message.json())),
  });
  observer.connection.subscribe(jobsDuplicate.subject, {
    callback: (_, message) => {
      repairs.push(message.json());
      message.respond(JSON.stringify({ job: 77 }));
    },
  });
  media = new MediaOnTheWire(observer, MEDIA);
});

beforeEach(() => {
  media.isSilent = false;
  media.entries.clear();
  media.asked.length = 0;
  media.bytes.clear();
  grants.length = 0;
});

async function fragmentsOf(imageId: string): Promise<FragmentView[]> {
  const page = { imageId, all: true };
  return (await maker.operator.call(catalogFragments, page)).fragments;
}

/** What the media server has of a fragment, in agreement unless said otherwise. */
function show(fragment: FragmentView, over: Partial<InventoryEntry> = {}): void {
  const { fragmentId, imageId, copy, number, digest, storedBytes, pool } = fragment;
  media.entries.set(fragmentId, {
    ...{ fragmentId, imageId, copy, number, pool, digest, storedBytes },
    ...{ journal: 'COMMITTED', bytes: 'whole', catalogEpoch: 'old', tombstoneId: null, reason: '' },
    ...over,
  });
}

const reconcile = (dryRun = false) =>
  maker.operator.call(catalogReconcile, { mediaId: MEDIA, dryRun });

describe('reconciliation', () => {
  // The watch would compare before a test has put everything in its place; it compares once, soon after that.
  const doubt = {
    volumeId: '01920000-0000-7000-8000-000000000001',
    doubtId: '01920000-0000-4000-8000-000000000002',
  };
  beforeAll(async () => {
    media.orphans = [doubt];
    await media.listen();
    // The last that it does; nothing would be asked of it if it were not all there.
    await until(() => media.released.length > 0);
    media.orphans = [];
  });

  it('gives its word that no fragment is missing for the doubts that it was told of, by itself', () => {
    expect(media.released).toEqual([doubt]);
  });

  it('finds nothing where all agree, and each difference where they do not', async () => {
    const { imageId } = await maker.backup(4);
    const [whole, orphaned, trashed, fenced] = (await fragmentsOf(imageId)) as FragmentView[];
    show(whole!);
    show(orphaned!, { journal: 'none' });
    show(trashed!, { journal: 'REMOVED', bytes: 'trash' });
    show(fenced!, { journal: 'FENCED' });
    const found = async (dryRun: boolean) => {
      const { findings } = await reconcile(dryRun);
      const mine = findings.filter((each) => each.imageId === imageId);
      return mine.map(({ number, action }) => `${number} ${action}`);
    };
    expect(await found(true)).toEqual(['2 adopt', '3 take-back', '4 offer-again']);
    expect(media.asked).toEqual([]);
    expect(await found(false)).toEqual(['2 adopt', '3 take-back', '4 offer-again']);
    expect(media.asked.sort()).toEqual([
      `adopt ${orphaned!.fragmentId}`,
      `offer-again ${fenced!.fragmentId}`,
      `take-back ${trashed!.fragmentId}`,
    ]);
  });

  it('marks a fragment damaged only when its media server has looked again', async () => {
    const { imageId } = await maker.backup(2);
    const [gone, fine] = (await fragmentsOf(imageId)) as [FragmentView, FragmentView];
    show(gone, { bytes: 'missing' });
    show(fine, { bytes: 'missing' });
    media.bytes.set(gone.fragmentId, 'missing');
    await reconcile();
    expect((await fragmentsOf(imageId)).map(({ state }) => state)).toEqual(['DAMAGED', 'ACTIVE']);
    // Its volume was away, and is back.
    media.bytes.delete(gone.fragmentId);
    show(gone);
    show(fine);
    await reconcile();
    expect((await fragmentsOf(imageId)).map(({ state }) => state)).toEqual(['ACTIVE', 'ACTIVE']);
  });

  it('takes what may be on a volume that is away for there, until that one is given up', async () => {
    const [disk1, disk2] = [
      '01920000-0000-7000-8000-000000000001',
      '01920000-0000-7000-8000-000000000002',
    ];
    media.volumes = [disk1, disk2];
    const { imageId } = await maker.backup(1);
    const [fragment] = (await fragmentsOf(imageId)) as [FragmentView];
    show(fragment);
    expect((await reconcile()).away).toEqual([]);
    // The media server has started without it.
    media.volumes = [disk1];
    media.entries.delete(fragment.fragmentId);
    media.bytes.set(fragment.fragmentId, 'missing');
    const judged = async () => {
      const { away, findings } = await reconcile();
      return { away, findings: findings.filter((each) => each.imageId === imageId) };
    };
    expect(await judged()).toEqual({ away: [disk2], findings: [] });
    const suspicion = { fragmentId: fragment.fragmentId, reason: 'gone', reporter: 'agent-web1' };
    await expect(maker.operator.call(fragmentSuspect, suspicion)).rejects.toThrow(/is away/);
    expect((await fragmentsOf(imageId))[0]).toMatchObject({ state: 'ACTIVE' });
    const state = () => maker.operator.call(catalogState, {});
    expect((await state()).volumesAway).toMatchObject([
      { mediaId: MEDIA, volumeId: disk2, pool: 'disk', path: `/mnt/${disk2}` },
    ]);
    media.volumes = [disk1, disk2];
    show(fragment);
    await reconcile();
    expect((await state()).volumesAway).toEqual([]);
    media.volumes = [disk1];
    media.entries.delete(fragment.fragmentId);
    const given = { mediaId: MEDIA, volumeId: disk2 };
    await maker.operator.call(catalogForgetVolume, given);
    expect(await judged()).toMatchObject({ away: [], findings: [{ action: 'mark-damaged' }] });
    expect((await fragmentsOf(imageId))[0]).toMatchObject({ state: 'DAMAGED' });
    await expect(maker.operator.call(catalogForgetVolume, given)).rejects.toThrow(disk2);
    media.volumes = [];
    await maker.operator.call(catalogForgetVolume, { mediaId: MEDIA, volumeId: disk1 });
  });

  it('sends the grant of a deletion again that was lost, and takes no other way', async () => {
    const { imageId } = await maker.backup(1);
    const [fragment] = (await fragmentsOf(imageId)) as [FragmentView];
    await maker.operator.call(imageExpire, { imageId, now: true });
    await until(() => grants.length > 0);
    show(fragment);
    const found = async () =>
      (await reconcile()).findings.filter((each) => each.imageId === imageId);
    expect(await found()).toMatchObject([{ action: 'grant-again' }]);
    await until(() => grants.length > 1);
    expect(grants[1]!.tombstoneId).toBe(grants[0]!.tombstoneId);
    media.entries.clear();
    expect(await found()).toMatchObject([{ action: 'report-deleted' }]);
    expect((await fragmentsOf(imageId))[0]).toMatchObject({ state: 'DELETED' });
  });

  it('gives a catalog that forgot what it had committed a new epoch', async () => {
    const { imageId } = await maker.backup(1);
    const [fragment] = (await fragmentsOf(imageId)) as [FragmentView];
    const { catalogEpoch } = await maker.operator.call(catalogState, {});
    const forgotten = { ...fragment, fragmentId: '01920000-0000-7000-8000-00000000dead' };
    show(fragment);
    show(forgotten, { catalogEpoch });
    await reconcile();
    expect(media.asked).toContain(`offer-again ${forgotten.fragmentId}`);
    expect((await maker.operator.call(catalogState, {})).catalogEpoch).not.toBe(catalogEpoch);
  });

  it('of all servers happens by itself when the database was started anew', async () => {
    const { imageId } = await maker.backup(1);
    show((await fragmentsOf(imageId))[0]!, { journal: 'FENCED' });
    await cluster.postgres.crash();
    await cluster.postgres.restart();
    await until(() => media.asked.length > 0);
  });
});

describe('a catalog that is told to stop', () => {
  it('does not wait for what a media server has not answered', async () => {
    media.isSilent = true;
    media.unanswered = 0;
    const catalog = await cluster.startCatalog({ HOLDFAST_CARE_EVERY: `${CARE_EVERY_MS}ms` });
    // It compares the server as soon as it runs.
    await until(() => media.unanswered > 0);
    const stopped = catalog.stop().then(() => 'stopped');
    expect(await Promise.race([stopped, sleep(20_000, 'waits', { ref: false })])).toBe('stopped');
  });
});

describe('damage that another copy can mend', () => {
  it('is mended by one duplication, however often it is looked for', async () => {
    const { imageId } = await maker.backup(2);
    await maker.duplicate(imageId);
    const [first] = await fragmentsOf(imageId);
    await cluster.database.query(`UPDATE fragment SET state = 'DAMAGED' WHERE fragment_id = $1`, [
      first!.fragmentId,
    ]);
    const mine = () => repairs.filter((each) => each.imageId === imageId);
    await until(() => mine().length > 0);
    // Some more looks.
    await sleep(5 * CARE_EVERY_MS);
    expect(mine()[0]).toMatchObject({ copy: 1, toPool: 'default' });
    expect(new Set(mine().map(({ requestId }) => requestId)).size).toBe(1);
  });
});

describe('a catalog that is lost', () => {
  const ask = () => maker.operator.call(catalogImport, { mediaId: MEDIA });
  const forget = () =>
    cluster.database.query(
      'TRUNCATE image, image_copy, fragment, file_tree, file_block, file_name, file_sweep, pin, image_hold, image_completion, directory, refused_fragment CASCADE',
    );

  it('is put together again from the manifests on the media', async () => {
    const { imageId } = await maker.backup(3);
    const { image: before } = await maker.operator.call(catalogImage, { imageId });
    const fragments = await fragmentsOf(imageId);
    await forget();
    media.manifests.push(...fragments.map((fragment) => manifestOf(fragment, 3)).reverse());
    const dry = await maker.operator.call(catalogImport, { mediaId: MEDIA, dryRun: true });
    expect(dry).toMatchObject({ images: 1, fragments: 3, refused: [] });
    expect(await ask()).toEqual({ images: 1, fragments: 3, refused: [], next: null });
    expect(await ask()).toEqual({ images: 0, fragments: 0, refused: [], next: null });
    const after = await maker.state(imageId, 'COMPLETE');
    const { client, policy, kind, selections, bytes, files } = before;
    expect(after).toMatchObject({ client, policy, kind, selections, bytes, files, job: 0 });
    expect((await fragmentsOf(imageId)).map(({ fragmentId }) => fragmentId)).toEqual(
      fragments.map(({ fragmentId }) => fragmentId),
    );
  });

  it('keeps what was decided since about its images, whenever it is put together again', async () => {
    const { imageId } = await maker.backup(1);
    const [fragment] = await fragmentsOf(imageId);
    const manifest = manifestOf(fragment!, 1);
    await forget();
    media.manifests.splice(0, 9, {
      ...manifest,
      image: { ...manifest.image!, retention: '30d' },
    });
    const expiresAt = async () =>
      (await maker.operator.call(catalogImage, { imageId })).image.expiresAt;
    await ask();
    const imported = await expiresAt();
    const inDays = (Date.parse(imported!) - Date.now()) / 86_400_000;
    expect(Math.round(inDays)).toBe(30);
    // As if it had been expired while it had two copies: a job reads the one that is left.
    await maker.state(imageId, 'COMPLETE');
    await maker.jobs.call(catalogPin, { job: maker.nextJob(), imageIds: [imageId] });
    await cluster.database.query('UPDATE image SET expires_at = now() WHERE image_id = $1', [
      imageId,
    ]);
    const expired = await expiresAt();
    expect(expired! < imported!).toBe(true);
    await ask();
    expect(await expiresAt()).toBe(expired);
  });

  it('is put together, too, when fragments are offered while their image is put back', async () => {
    const { imageId } = await maker.backup(3);
    const manifests = (await fragmentsOf(imageId)).map((fragment) => manifestOf(fragment, 3));
    await forget();
    // A page with the first fragment; the others come by offers before the next page does.
    media.manifests.splice(0, 9, manifests[0]!);
    await ask();
    for (const { number, fragmentId } of manifests.slice(1)) {
      expect(await maker.commit({ imageId, number, fragmentId })).toMatchObject({
        verdict: 'COMMITTED',
      });
    }
    media.manifests.splice(0, 9, ...manifests);
    expect(await ask()).toMatchObject({ images: 0, fragments: 0, refused: [] });
    await maker.state(imageId, 'COMPLETE');
  });

  it('brings back its keyword, its streams, and that it is kept for ever', async () => {
    const run = { keyword: 'before the move', group: 41, groupStreams: 2 };
    const begun = { ...run, retention: 'infinite', policy: 'streams' };
    const { imageId } = await maker.backup(1, begun);
    const other = await maker.backup(1, { ...begun, selections: ['/srv'] });
    const manifests: Manifest[] = [];
    for (const [id, selections] of [
      [imageId, ['/etc']],
      [other.imageId, ['/srv']],
    ] as const) {
      const manifest = manifestOf((await fragmentsOf(id))[0]!, 1);
      const image = {
        ...manifest.image!,
        ...run,
        retention: 'infinite',
        selections: [...selections],
      };
      manifests.push({ ...manifest, policy: 'streams', image });
    }
    await forget();
    media.manifests.splice(0, 9, ...manifests);
    expect(await ask()).toMatchObject({ images: 2, fragments: 2, refused: [] });
    await maker.state(imageId, 'COMPLETE');
    await maker.state(other.imageId, 'COMPLETE');
    const { image } = await maker.operator.call(catalogImage, { imageId });
    expect(image).toMatchObject({ keyword: 'before the move', expiresAt: null });
    const at = '2100-01-01T00:00:00.000Z';
    const whole = { client: 'web1', policy: 'streams', at };
    expect((await maker.jobs.call(catalogChain, whole)).streams).toEqual([1, 1]);
    // A run of this cluster that happens to have the same number is another one.
    await maker.backup(1, { policy: 'streams', group: 41, groupStreams: 1, selections: ['/new'] });
    expect((await maker.jobs.call(catalogChain, whole)).streams).toEqual([1]);
  });

  it('takes nothing that it cannot read, and says why', async () => {
    media.manifests.splice(0, 9, { fragmentId: 'x' } as never);
    const answer = await maker.operator.call(catalogImport, { mediaId: MEDIA });
    expect(answer).toMatchObject({ images: 0, fragments: 0, refused: [{ fragmentId: 'x' }] });
  });
});

function manifestOf(fragment: FragmentView, count: number): Manifest {
  const { fragmentId, imageId, copy, number, attempt, archiveOffset, archiveBytes } = fragment;
  const { storedBytes, digest, indexBytes, indexDigest, frames } = fragment;
  const last = number === count;
  return {
    ...{ version: 1, fragmentId, imageId, copy, number, attempt, client: 'web1', policy: 'files' },
    ...{ kind: 'full', backupTime: Number(imageId.split('_')[1]), archiveOffset, archiveBytes },
    ...{ storedBytes, digest, indexBytes, indexDigest, frames, last },
    ...(last && {
      ...{ fragments: count, files: count, bytes: count * 1_000 },
      image: {
        ...{ job: 1, schedule: 's', retention: '14d', selections: ['/etc'], baseImageId: null },
      },
    }),
  };
}
