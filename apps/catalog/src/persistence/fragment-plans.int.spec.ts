import { beforeAll, describe, expect, it } from '@jest/globals';
import { useDatabase } from '#service/testing/use-database.js';
import { catalogDefinition } from '../catalog.definition.js';
import { Gaps } from './copies/gaps.js';
import { Deletables } from './deletion/deletables.js';
import { ImageFactsReader } from './deletion/image-facts.js';
import { FileSweeps } from './files/file-sweeps.js';
import type { ImageRow } from './entities/image.entity.js';
import type { Queries } from './queries.js';

const IMAGES = 800;
const FRAGMENTS = 25;
const ONE = 'web1_700';
/** `ONE` builds on it. */
const BEFORE = 'web1_699';

/** Every image's first fragments are gone, some of the others are marked, and all of those are due. */
const FILL = [
  `INSERT INTO image (image_id, client, policy, schedule, kind, job, backup_time, retention, chain_length,
     selections, selection_set, begun_at, expires_at, base_image_id)
   SELECT 'web1_' || n, 'web1', 'p', 's', 'full', n, n, '14d', 1, '{/a}', '{/a}', now(), now(),
     'web1_' || n - 1
   FROM generate_series(1, ${IMAGES}) n`,
  `INSERT INTO image_copy (image_id, copy, attempt, job_attempt, unit, pool, media_id)
   SELECT image_id, 1, 1, 1, 'default', 'default', 'm1' FROM image`,
  `INSERT INTO fragment (fragment_id, image_id, copy, number, attempt, state, deletable_at, media_id, pool,
     archive_offset, archive_bytes, stored_bytes, digest, index_bytes, index_digest, frames, last, sealed_at,
     index_loaded_at)
   SELECT gen_random_uuid(), i.image_id, 1, n, 1,
     CASE WHEN n <= 5 THEN 'DELETED' WHEN i.number % 2 = 0 THEN 'TO_BE_DELETED' ELSE 'ACTIVE' END,
     CASE WHEN n > 5 AND i.number % 2 = 0 THEN now() END,
     'm1', 'default', 0, 1, 1, repeat('a', 64), 1, repeat('b', 64), 1, false, now(), now()
   FROM image i, generate_series(1, ${FRAGMENTS}) n`,
  `INSERT INTO file_tree (image_number, root, entries, fragment, part, height)
   SELECT number, gen_random_uuid(), 1, 1, 0, 0 FROM image`,
  'ANALYZE',
];

/** All that was marked is gone. */
const UNMARK = [
  `UPDATE fragment SET state = 'DELETED', deletable_at = NULL WHERE state = 'TO_BE_DELETED'`,
  'ANALYZE',
];

/** Of what is left, all but one image is gone as well. */
const LEAVE_ONE = [
  `UPDATE fragment SET state = 'DELETED' WHERE image_id <> '${ONE}'`,
  `UPDATE fragment SET state = 'ACTIVE' WHERE image_id = '${ONE}'`,
  'VACUUM ANALYZE',
];

const database = await useDatabase(catalogDefinition.owns!, 2);

describe('the fragments of an image are found by it,', () => {
  beforeAll(async () => {
    for (const statement of FILL) await database.query(statement);
  });

  /** How PostgreSQL would do what `work` asks of it for the fragments; nothing of it is done. */
  async function plansOf(work: (db: Queries) => Promise<unknown>): Promise<string[]> {
    const plans: string[] = [];
    const query = async (statement: string, values?: unknown[]): Promise<[]> => {
      const rows = await database.query<{ 'QUERY PLAN': string }[]>(
        `EXPLAIN (COSTS OFF) ${statement}`,
        values,
      );
      plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
      return [];
    };
    await work({ query: query as unknown as Queries['query'] });
    return plans.filter((plan) => plan.includes('fragment'));
  }

  async function expectById(work: (db: Queries) => Promise<unknown>): Promise<void> {
    const plans = await plansOf(work);
    expect(plans.length).toBeGreaterThan(0);
    for (const plan of plans) {
      expect(plan).toContain('fragment_live_number');
      expect(plan).not.toContain('Seq Scan on fragment');
      // That of all that is marked, of whatever image.
      expect(plan).not.toContain('fragment_to_delete');
    }
  }

  it.each<[string, (db: Queries) => Promise<unknown>]>([
    ['when it is to go', (db) => new Deletables(db).lock(ONE)],
    ['when some are due', (db) => new Deletables(db).lockDue(ONE, new Date(), 100)],
    ['when it is gone', (db) => new FileSweeps(db).markUnloaded(ONE)],
    ['when those that are gone are looked for', (db) => new FileSweeps(db).goneImages(10_000)],
    ['when it may be gone', (db) => new FileSweeps(db).isGone(ONE)],
    [
      'when a later attempt goes on in front of them',
      (db) => {
        const now = new Date();
        const what = { copy: 1, from: 2, now, deletableAt: now };
        return new Gaps(db).giveUp({ imageId: ONE }, what);
      },
    ],
    [
      'when what builds on it may come back',
      (db) => new ImageFactsReader(db).returnsUntil(BEFORE, new Date()),
    ],
    ['when it is to come back', (db) => new ImageFactsReader(db).goneBases(ONE)],
    ['when they are loaded anew', (db) => new Gaps(db).loadAnew([ONE])],
  ])('%s', (_name, work) => expectById(work));

  describe('and while PostgreSQL knows of next to nothing that is marked or damaged', () => {
    beforeAll(async () => {
      for (const statement of UNMARK) await database.query(statement);
    });

    it.each<[string, (db: Queries) => Promise<unknown>]>([
      [
        'when what builds on it may come back',
        (db) => new ImageFactsReader(db).returnsUntil(BEFORE, new Date()),
      ],
      ['when it is to come back', (db) => new ImageFactsReader(db).goneBases(ONE)],
      [
        'when it may be needed',
        (db) => new ImageFactsReader(db).of({ imageId: ONE } as ImageRow, new Date()),
      ],
    ])('%s', (_name, work) => expectById(work));

    it('when what has expired is looked for, without a look at what is gone', async () => {
      for (const statement of LEAVE_ONE) await database.query(statement);
      const expired = (db: Queries, limit: number) =>
        new ImageFactsReader(db).expired(new Date(), { limit });
      expect(await expired(database.manager, 10)).toMatchObject([{ imageId: ONE }]);
      // An index has three levels at most here.
      expect(await pagesReadBy((db) => expired(db, 10))).toBeLessThan(50);
    });
  });

  /** How many pages of tables and indexes it has looked at, each as often as it has. */
  async function pagesReadBy(work: (db: Queries) => Promise<unknown>): Promise<number> {
    let pages = 0;
    const query = async (statement: string, values?: unknown[]): Promise<[]> => {
      const [row] = await database.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }[]>(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${statement}`,
        values,
      );
      const { Plan: plan } = row!['QUERY PLAN'][0];
      pages += plan['Shared Hit Blocks']! + plan['Shared Read Blocks']!;
      return [];
    };
    await work({ query: query as unknown as Queries['query'] });
    return pages;
  }
});
