import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { subjectOf, type PayloadOf } from '#contracts/contract.js';
import {
  catalogFragmentOffer,
  catalogFragmentStatus,
  type FragmentCommit,
  fragmentCommitMessage,
  fragmentCommitsMessage,
  type fragmentCommitted,
  type FragmentReceipt,
  receiptsOf,
} from '#contracts/fragment.js';
import { catalogImage, imageBegin } from '#contracts/image.js';
import { uuidOf, uuidv7 } from '#kernel/ids.js';
import { Publisher } from '#messaging/publisher.js';
import type { Requests } from '#messaging/requests.js';
import { until } from '../../../test/support/until.js';
import { CommitBatches } from './commit-batches.js';
import { ERA } from './persistence/catalog-epoch.js';
import { CatalogHarness, OTHER_MEDIA } from './testing/catalog-harness.js';
import { batchesOf, CommitModel, deliveries } from './testing/commit-model.js';
import { commitOf, MEDIA } from './testing/commit.js';

type Deliveries = ReturnType<typeof deliveries> extends fc.Arbitrary<infer T> ? T : never;

const JSON_TYPE = 'application/json';

describe('commits of fragments', () => {
  let cluster: CatalogHarness;
  let jobs: Requests;
  let media: Publisher;
  const receipts: FragmentReceipt[] = [];
  const announced: string[] = [];

  beforeAll(async () => {
    cluster = await CatalogHarness.start();
    // Two from the beginning: they share the consumer, and nothing may depend on which one works.
    await cluster.startCatalog();
    await cluster.startCatalog();
    jobs = await cluster.requests();
    media = new Publisher(await cluster.connect(`media-${MEDIA}`));
    const observer = (await cluster.connect('observer')).connection;
    observer.subscribe('hf.int.v1.frag.receipt.>', {
      callback: (_, message) => void receipts.push(...receiptsOf(message.json())),
    });
    observer.subscribe('hf.evt.v1.fragment.committed.>', {
      callback: (_, message) => {
        const { data } = message.json<{ data: PayloadOf<typeof fragmentCommitted> }>();
        announced.push(...data.fragments.map(({ fragmentId }) => fragmentId));
      },
    });
    await observer.flush();
  });

  afterAll(async () => {
    await cluster?.stop();
  });

  let job = 0;
  async function begin(attempt = 1, sameJob?: number): Promise<string> {
    const image = await jobs.call(imageBegin, {
      job: sameJob ?? (job += 1),
      attempt,
      client: 'web1',
      policy: 'files',
      schedule: 'full',
      kind: 'full',
      selections: ['/etc'],
      retention: '14d',
      unit: 'default',
      pool: 'default',
      mediaId: MEDIA,
    });
    return image.imageId;
  }

  let publications = 0;
  function publish(payload: FragmentCommit, subject?: string): Promise<void> {
    publications += 1;
    return media.publish({
      subject: subject ?? subjectOf(fragmentCommitMessage, payload.mediaId, payload.fragmentId),
      payload,
      id: `publication ${publications}`,
      contentType: JSON_TYPE,
    });
  }

  function verdictsOn({ fragmentId }: FragmentCommit): Promise<string[]> {
    const read = () =>
      Promise.resolve(
        receipts.filter((each) => each.fragmentId === fragmentId).map(({ verdict }) => verdict),
      );
    return until(read, { is: (found) => found.length > 0 });
  }

  async function rowsOf(imageId: string): Promise<string[]> {
    const rows = await cluster.database.query<{ fragment_id: string }[]>(
      `SELECT fragment_id FROM fragment WHERE image_id = $1 AND state = 'ACTIVE' ORDER BY number`,
      [imageId],
    );
    return rows.map((row) => row.fragment_id);
  }

  it('are judged in batches, one receipt and one announcement each', async () => {
    const imageId = await begin();
    const offers = Array.from({ length: 600 }, (_, n) => commitOf({ imageId, number: n + 1 }));
    await Promise.all(offers.map((offer) => publish(offer)));
    await verdictsOn(offers.at(-1)!);
    await until(() => rowsOf(imageId), { is: (rows) => rows.length === offers.length });
    const verdicts = await Promise.all(offers.map(verdictsOn));
    expect(verdicts.every((all) => all.join() === 'COMMITTED')).toBe(true);
    const ids = new Set(offers.map(({ fragmentId }) => fragmentId));
    await until(() => announced.filter((id) => ids.has(id)).length === offers.length);
    const operator = await cluster.requests('operator');
    const { image } = await operator.call(catalogImage, { imageId });
    expect(image).toMatchObject({ fragments: 600, storedBytes: 300_000, state: 'IN_PROCESS' });
  });

  it('that come again get a receipt again, and change nothing', async () => {
    const imageId = await begin();
    const offer = commitOf({ imageId });
    await publish(offer);
    await verdictsOn(offer);
    // As after a crash between COMMIT and ack: the same delivery once more, by another catalog too.
    for (const catalog of [await cluster.startCatalog(), await cluster.startCatalog()]) {
      await catalog.app.get(CommitBatches).handle([deliveryOf(offer), deliveryOf(offer)]);
    }
    const verdicts = await until(() => verdictsOn(offer), { is: (all) => all.length === 5 });
    expect(new Set(verdicts)).toEqual(new Set(['COMMITTED']));
    expect(await rowsOf(imageId)).toEqual([offer.fragmentId]);
    await until(() => announced.includes(offer.fragmentId));
    expect(announced.filter((id) => id === offer.fragmentId)).toHaveLength(1);
  });

  it('get each of the other verdicts, and are kept for later', async () => {
    const imageId = await begin();
    const first = commitOf({ imageId });
    const second = commitOf({ imageId });
    const corrupt = { ...first, digest: 'ef'.repeat(32) };
    const stranger = commitOf({ imageId: 'nobody_1', number: 7 });
    await publish(first);
    await verdictsOn(first);
    await Promise.all([publish(second), publish(stranger)]);
    expect(await verdictsOn(second)).toEqual(['SUPERSEDED']);
    expect(await verdictsOn(stranger)).toEqual(['UNKNOWN_IMAGE']);
    const requests = await cluster.requests(`media-${MEDIA}`);
    const { receipts: direct } = await requests.call(catalogFragmentOffer, {
      mediaId: MEDIA,
      commits: [corrupt, first],
    });
    expect(direct.map(({ verdict }) => verdict)).toEqual(['CORRUPT', 'COMMITTED']);
    const nobody = uuidv7(new Date());
    const status = await requests.call(catalogFragmentStatus, {
      mediaId: MEDIA,
      fragmentIds: [first.fragmentId, second.fragmentId, stranger.fragmentId, nobody],
    });
    expect(Object.fromEntries(status.receipts.map((r) => [r.fragmentId, r.verdict]))).toEqual({
      [first.fragmentId]: 'COMMITTED',
      [second.fragmentId]: 'SUPERSEDED',
      [stranger.fragmentId]: 'UNKNOWN_IMAGE',
    });
    expect(status.unknown).toEqual([nobody]);
  });

  it('of an attempt that is over are fenced; the next one writes on', async () => {
    const imageId = await begin();
    const old = job;
    expect(await begin(2, old)).toBe(imageId);
    const late = commitOf({ imageId, attempt: 1 });
    const now = commitOf({ imageId, attempt: 2 });
    await publish(late);
    expect(await verdictsOn(late)).toEqual(['FENCED']);
    await publish(now);
    expect(await verdictsOn(now)).toEqual(['COMMITTED']);
    // Whatever is committed: the next attempt goes on with the same image.
    expect(await begin(3, old)).toBe(imageId);
    await expect(begin(2, old)).rejects.toMatchObject({ status: 229 });
    const superseded = commitOf({ imageId, attempt: 2 });
    await publish(superseded);
    expect(await verdictsOn(superseded)).toEqual(['SUPERSEDED']);
  });

  it('that can never be handled are parked, and hold up no other', async () => {
    const imageId = await begin();
    const good = [1, 2, 3].map((number) => commitOf({ imageId, number }));
    // Fits the contract, but no column of the table.
    const huge = commitOf({ imageId, number: 3_000_000_000 });
    const nonsense = commitOf({ imageId, number: 5 });
    const forged = commitOf({ imageId, number: 6, mediaId: OTHER_MEDIA });
    await Promise.all([
      publish(good[0]!),
      publish({ ...nonsense, digest: 'none' }),
      publish(good[1]!),
      publish(huge),
      publish(forged, subjectOf(fragmentCommitMessage, MEDIA, forged.fragmentId)),
      publish(good[2]!),
    ]);
    await until(() => rowsOf(imageId), { is: (rows) => rows.length === 3 });
    const parked = await until(
      () => cluster.database.query<{ reason: string }[]>('SELECT reason FROM parked_message'),
      { is: (rows) => rows.length === 3 },
    );
    expect(parked.map(({ reason }) => reason).sort()).toEqual([
      expect.stringContaining('digest'),
      expect.stringContaining('it belongs on hf.int.v1.frag.commit.m2'),
      expect.stringContaining('out of range'),
    ]);
  });

  it('that travel in one message are judged each for itself', async () => {
    const imageId = await begin();
    const [one, two, huge, forged] = [
      commitOf({ imageId, number: 1 }),
      commitOf({ imageId, number: 2 }),
      commitOf({ imageId, number: 3_000_000_001 }),
      commitOf({ imageId, number: 4, mediaId: OTHER_MEDIA }),
    ];
    await publish(one);
    await verdictsOn(one);
    const bundle = { commits: [huge, one, { ...two, digest: 'none' }, forged, two] };
    await publish(bundle as never, subjectOf(fragmentCommitsMessage, MEDIA, uuidv7(new Date())));
    expect(await verdictsOn(two)).toEqual(['COMMITTED']);
    await until(() => verdictsOn(one), { is: (all) => all.length === 2 });
    expect(await rowsOf(imageId)).toEqual([one.fragmentId, two.fragmentId]);
    const parked = await until(
      () =>
        cluster.database.query<{ payload: string }[]>(
          'SELECT payload FROM parked_message WHERE payload LIKE $1',
          [`%${imageId}%`],
        ),
      { is: (rows) => rows.length > 2 },
    );
    const found = parked.map(({ payload }) => (JSON.parse(payload) as FragmentCommit).fragmentId);
    expect(found.sort()).toEqual([two, huge, forged].map((c) => c.fragmentId).sort());
  });

  it('end as in the model, in whatever order and batches, from two catalogs at once', async () => {
    const catalogs = [await cluster.startCatalog(), await cluster.startCatalog()];
    const [left, right] = catalogs.map(({ app }) => app.get(CommitBatches));
    let run = 0;
    const property = async ({ order, cuts, offers }: Deliveries): Promise<void> => {
      const prefix = `run${(run += 1)}_`;
      const mine = (commit: FragmentCommit): FragmentCommit => {
        const imageId = `${prefix}${commit.imageId.slice(-1)}`;
        const fragmentId = uuidOf(`${imageId} ${commit.number} ${commit.attempt}`);
        return { ...commit, imageId, fragmentId };
      };
      await makeImage(`${prefix}1`, 1);
      await makeImage(`${prefix}2`, 2);
      const batches = batchesOf(order.map(mine), cuts);
      for (let at = 0; at < batches.length; at += 2) {
        // The same batch from both at once, with the next one: rows are fought for.
        const [one, two] = [batches[at]!, batches[at + 1] ?? []];
        await Promise.all([
          left!.offer([...one, ...two]),
          right!.offer([...two, ...one].reverse()),
        ]);
      }
      const receiptsNow = await left!.offer(offers.map(mine));
      const model = new CommitModel(
        new Map([
          [`${prefix}1`, { attempt: 1 }],
          [`${prefix}2`, { attempt: 2 }],
        ]),
      );
      const expected = model.deliver(offers.map(mine));
      expect(receiptsNow.map(({ verdict }) => verdict)).toEqual(expected);
      const rows = [...(await rowsOf(`${prefix}1`)), ...(await rowsOf(`${prefix}2`))];
      expect(rows.sort()).toEqual([...model.rows.keys()].sort());
    };
    await fc.assert(fc.asyncProperty(deliveries('x_'), property), { numRuns: 25 });
  });

  async function makeImage(imageId: string, attempt: number): Promise<void> {
    await cluster.database.query(
      `INSERT INTO image (image_id, client, policy, schedule, kind, job, backup_time, retention,
         expires_at, chain_length, selections, selection_set, begun_at)
       VALUES ($1, $1, 'p', 's', 'full', $2, 1, '1d', now(), 1, '{}', '{}', now())`,
      [imageId, (job += 1)],
    );
    await cluster.database.query(
      `INSERT INTO image_copy (image_id, copy, attempt, job_attempt, unit, pool, media_id, granted_in)
       VALUES ($1, 1, $2, 1, 'u', 'p', 'm1', ${ERA})`,
      [imageId, attempt],
    );
  }

  it('outlive a crash of the database in the middle', async () => {
    const imageId = await begin();
    const offers = Array.from({ length: 300 }, (_, n) => commitOf({ imageId, number: n + 1 }));
    const published = Promise.all(offers.map((offer) => publish(offer)));
    await cluster.postgres.crash();
    await published;
    await cluster.postgres.restart();
    const rows = await until(() => rowsOf(imageId).catch(() => []), {
      is: (found) => found.length === offers.length,
    });
    expect(rows).toEqual(offers.map(({ fragmentId }) => fragmentId));
    const verdicts = await Promise.all(offers.map(verdictsOn));
    expect(new Set(verdicts.flat())).toEqual(new Set(['COMMITTED']));
  });
});

function deliveryOf(payload: FragmentCommit) {
  return {
    subject: subjectOf(fragmentCommitMessage, payload.mediaId, payload.fragmentId),
    payload,
    messageId: 'again',
    deliveries: 2,
  };
}
