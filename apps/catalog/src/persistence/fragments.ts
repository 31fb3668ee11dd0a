import type { EntityManager } from 'typeorm';
import { prepared } from '#outbox/prepared.js';
import type { FragmentCommit, Verdict } from '#contracts/fragment.js';
import { copyKey } from '../domain/commit-messages.js';
import type { DatedFence, Existing, KnownFragment, Piece } from '../domain/verdict.js';
import { arrayLiteral } from './array-literal.js';
import { ERA } from './catalog-epoch.js';
import { EVERY_FRAGMENT } from './fragment-view.js';

/** A column of `fragment`, its SQL type, and where its value comes from. */
const COMMIT_COLUMNS: readonly (readonly [string, string, (c: FragmentCommit) => unknown])[] = [
  ['fragment_id', 'uuid', (commit) => commit.fragmentId],
  ['image_id', 'text', (commit) => commit.imageId],
  ['copy', 'int', (commit) => commit.copy],
  ['number', 'int', (commit) => commit.number],
  ['attempt', 'bigint', (commit) => commit.attempt],
  ['media_id', 'text', (commit) => commit.mediaId],
  ['pool', 'text', (commit) => commit.pool],
  ['archive_offset', 'bigint', (commit) => commit.archiveOffset],
  ['archive_bytes', 'bigint', (commit) => commit.archiveBytes],
  ['stored_bytes', 'bigint', (commit) => commit.storedBytes],
  ['digest', 'text', (commit) => commit.digest],
  ['index_bytes', 'bigint', (commit) => commit.indexBytes],
  ['index_digest', 'text', (commit) => commit.indexDigest],
  ['frames', 'int', (commit) => commit.frames],
  ['last', 'boolean', (commit) => commit.last],
  ['sealed_at', 'timestamptz', (commit) => commit.sealedAt],
];

const NAMES = COMMIT_COLUMNS.map(([name]) => name).join(', ');
const ARRAYS = COMMIT_COLUMNS.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ');

const INSERT = prepared(`
  WITH inserted AS (
    INSERT INTO fragment (${NAMES}, index_loaded_at)
    SELECT ${NAMES}, CASE WHEN is_loaded THEN now() END
    FROM unnest(${ARRAYS}, $${COMMIT_COLUMNS.length + 1}::boolean[]) AS new (${NAMES}, is_loaded)
    ON CONFLICT DO NOTHING
    RETURNING fragment_id
  ),
  forgiven AS (
    DELETE FROM refused_fragment r USING inserted i WHERE r.fragment_id = i.fragment_id
  )
  SELECT string_agg(fragment_id::text, ',') AS ids FROM inserted`);

const KNOWN = `f.fragment_id, f.image_id, f.copy, f.number, f.digest, f.stored_bytes,
  f.state IN ('ACTIVE', 'TO_BE_DELETED') AS live`;

interface KnownRow {
  readonly fragment_id: string;
  readonly image_id: string;
  readonly copy: number;
  readonly number: number;
  readonly digest: string;
  readonly stored_bytes: string;
  readonly live: boolean;
}

interface FenceRow {
  readonly image_id: string;
  readonly copy: number;
  readonly attempt: string;
  readonly has_others: boolean;
  readonly is_empty: boolean;
  readonly is_old: boolean;
}

interface TwinRow {
  readonly image_id: string;
  readonly copy: number;
  readonly number: number;
  readonly archive_offset: string;
  readonly archive_bytes: string;
}

/** A fence, and what else there is of its image. */
export interface CopyFence extends DatedFence {
  /** The image has other copies than that one. */
  readonly hasOthers: boolean;
  /** No fragment of the copy was ever committed. */
  readonly isEmpty: boolean;
}

/** Set-based work on the fragments of one batch of commits, inside its transaction. */
export class Fragments {
  constructor(private readonly db: EntityManager) {}

  /**
   * The fences of the copies that the commits belong to, locked until the transaction ends: a
   * higher attempt is granted before these commits or after them, never in between.
   */
  async lockFences(commits: readonly FragmentCommit[]): Promise<ReadonlyMap<string, CopyFence>> {
    const copies = [...new Map(commits.map((each) => [copyKey(each), each])).values()];
    const rows = await this.db.query<FenceRow[]>(
      prepared(`SELECT c.image_id, c.copy, c.attempt, c.granted_in IS DISTINCT FROM ${ERA} AS is_old,
         EXISTS (SELECT 1 FROM image_copy k
           WHERE k.image_id = c.image_id AND k.copy <> c.copy) AS has_others,
         NOT EXISTS (SELECT 1 FROM ${EVERY_FRAGMENT} f
           WHERE f.image_id = c.image_id AND f.copy = c.copy) AS is_empty
       FROM unnest($1::text[], $2::int[]) AS o(image_id, copy)
       JOIN image_copy c ON c.image_id = o.image_id AND c.copy = o.copy
       ORDER BY c.image_id, c.copy FOR SHARE OF c`),
      [copies.map(({ imageId }) => imageId), copies.map(({ copy }) => copy)],
    );
    return new Map(
      rows.map((row) => [
        `${row.image_id}/${row.copy}`,
        {
          ...{ attempt: Number(row.attempt), isOfEarlierEra: row.is_old },
          ...{ hasOthers: row.has_others, isEmpty: row.is_empty },
        },
      ]),
    );
  }

  /** Raises fences to attempts that were granted, and forgotten since. */
  async raiseFences(
    copies: readonly Pick<FragmentCommit, 'imageId' | 'copy' | 'attempt'>[],
  ): Promise<void> {
    await this.db.query(
      `UPDATE image_copy c SET attempt = o.attempt,
         completed_attempt = CASE c.completed_attempt WHEN c.attempt THEN o.attempt
           ELSE c.completed_attempt END
       FROM unnest($1::text[], $2::int[], $3::bigint[]) AS o(image_id, copy, attempt)
       WHERE c.image_id = o.image_id AND c.copy = o.copy AND c.attempt < o.attempt`,
      [
        copies.map(({ imageId }) => imageId),
        copies.map(({ copy }) => copy),
        copies.map(({ attempt }) => attempt),
      ],
    );
  }

  /** What other copies have under the numbers of these commits. */
  async twins(
    commits: readonly FragmentCommit[],
  ): Promise<(c: FragmentCommit) => Piece | undefined> {
    if (commits.length === 0) return () => undefined;
    const rows = await this.db.query<TwinRow[]>(
      `SELECT o.image_id, o.copy, o.number, t.archive_offset, t.archive_bytes
       FROM unnest($1::text[], $2::int[], $3::int[]) AS o(image_id, copy, number)
       CROSS JOIN LATERAL (
         SELECT f.archive_offset, f.archive_bytes
         FROM image_copy k CROSS JOIN LATERAL (
           SELECT * FROM fragment f WHERE f.image_id = k.image_id AND f.copy = k.copy
             AND f.number = o.number AND f.state = 'ACTIVE' LIMIT 1
         ) f WHERE k.image_id = o.image_id AND k.copy <> o.copy LIMIT 1
       ) t`,
      [
        commits.map(({ imageId }) => imageId),
        commits.map(({ copy }) => copy),
        commits.map(({ number }) => number),
      ],
    );
    const pieces = new Map(
      rows.map((row) => [
        `${row.image_id}/${row.copy}/${row.number}`,
        { archiveOffset: Number(row.archive_offset), archiveBytes: Number(row.archive_bytes) },
      ]),
    );
    return (commit) => pieces.get(slotKey(commit));
  }

  /**
   * Puts in what is new and whose number is free; returns the ids that went in. The file indexes of some
   * are loaded in the same transaction.
   */
  async insertNew(
    commits: readonly FragmentCommit[],
    isLoaded: (commit: FragmentCommit) => boolean,
  ): Promise<ReadonlySet<string>> {
    if (commits.length === 0) return new Set();
    const ordered = [...commits].sort(byPlace);
    const [row] = await this.db.query<{ ids: string | null }[]>(
      INSERT,
      [...COMMIT_COLUMNS.map(([, , valueOf]) => valueOf), isLoaded].map((valueOf) =>
        arrayLiteral(ordered.map(valueOf)),
      ),
    );
    return new Set(row!.ids?.split(','));
  }

  /**
   * What now has the ids and the numbers of the commits. The LIMIT makes PostgreSQL look each number
   * up in the index: of a table that has just grown it would otherwise read all.
   */
  async existing(commits: readonly FragmentCommit[]): Promise<(c: FragmentCommit) => Existing> {
    const rows = await this.db.query<KnownRow[]>(
      `SELECT ${KNOWN} FROM fragment f WHERE f.fragment_id = ANY($1::uuid[])
       UNION ALL
       SELECT held.* FROM unnest($2::text[], $3::int[], $4::int[]) AS o(image_id, copy, number)
       CROSS JOIN LATERAL (
         SELECT ${KNOWN} FROM fragment f
         WHERE f.image_id = o.image_id AND f.copy = o.copy AND f.number = o.number
           AND f.state IN ('ACTIVE', 'TO_BE_DELETED')
         LIMIT 1
       ) AS held`,
      [
        commits.map(({ fragmentId }) => fragmentId),
        commits.map(({ imageId }) => imageId),
        commits.map(({ copy }) => copy),
        commits.map(({ number }) => number),
      ],
    );
    const byId = new Map(rows.map((row) => [row.fragment_id, toKnown(row)]));
    const live = rows.filter((row) => row.live).map(toKnown);
    const holders = new Map(live.map((each) => [slotKey(each), each]));
    return (commit) => ({
      same: byId.get(commit.fragmentId),
      holder: holders.get(slotKey(commit)),
    });
  }

  /** Keeps offers that were not taken, for whoever asks about them later. */
  async remember(refused: ReadonlyMap<FragmentCommit, Verdict>): Promise<void> {
    const latest = new Map(
      [...refused].map(([offer, verdict]) => [offer.fragmentId, { offer, verdict }]),
    );
    if (latest.size === 0) return;
    const rows = [...latest.values()].sort((a, b) =>
      a.offer.fragmentId < b.offer.fragmentId ? -1 : 1,
    );
    await this.db.query(
      `INSERT INTO refused_fragment (fragment_id, verdict, offer)
       SELECT * FROM unnest($1::uuid[], $2::text[], $3::jsonb[])
       ON CONFLICT (fragment_id) DO UPDATE
       SET verdict = excluded.verdict, offer = excluded.offer, refused_at = now()`,
      [
        rows.map(({ offer }) => offer.fragmentId),
        rows.map(({ verdict }) => verdict),
        rows.map(({ offer }) => JSON.stringify(offer)),
      ],
    );
  }

  /** Which of the fragments are in the catalog, committed by that media server. */
  async committed(mediaId: string, ids: readonly string[]): Promise<string[]> {
    const rows = await this.db.query<{ fragment_id: string }[]>(
      'SELECT fragment_id FROM fragment WHERE fragment_id = ANY($1::uuid[]) AND media_id = $2',
      [ids, mediaId],
    );
    return rows.map((row) => row.fragment_id);
  }

  /** Offers of that media server that were not taken, as they were made. */
  async refused(mediaId: string, ids: readonly string[]): Promise<FragmentCommit[]> {
    const rows = await this.db.query<{ offer: FragmentCommit }[]>(
      `SELECT offer FROM refused_fragment
       WHERE fragment_id = ANY($1::uuid[]) AND offer->>'mediaId' = $2`,
      [ids, mediaId],
    );
    return rows.map((row) => row.offer);
  }
}

/** In one order everywhere, so that two catalogs with the same fragments wait, not deadlock. */
function byPlace(a: FragmentCommit, b: FragmentCommit): number {
  if (a.imageId !== b.imageId) return a.imageId < b.imageId ? -1 : 1;
  if (a.copy !== b.copy) return a.copy - b.copy;
  if (a.number !== b.number) return a.number - b.number;
  return a.fragmentId < b.fragmentId ? -1 : 1;
}

function slotKey(of: KnownFragment | FragmentCommit): string {
  return `${of.imageId}/${of.copy}/${of.number}`;
}

function toKnown(row: KnownRow): KnownFragment {
  return {
    fragmentId: row.fragment_id,
    imageId: row.image_id,
    copy: row.copy,
    number: row.number,
    digest: row.digest,
    storedBytes: Number(row.stored_bytes),
  };
}
