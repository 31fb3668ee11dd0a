import type { KnownRow } from '../../domain/reconcile.js';
import { EVERY_FRAGMENT, IS_LIVE } from '../fragment-view.js';
import type { Queries } from '../queries.js';

interface Row {
  readonly fragment_id: string;
  readonly image_id: string;
  readonly copy: number;
  readonly number: number;
  readonly state: KnownRow['state'];
  readonly digest: string;
  readonly stored_bytes: string;
}

/** Rows that one page of a comparison reads; the catalog may know far more than the server has. */
export const KNOWN_ROWS_MAX = 2_000;

const STATE = `CASE WHEN state = 'DAMAGED' AND (given_up_at IS NOT NULL OR deletable_at IS NOT NULL)
  THEN 'GIVEN_UP' ELSE state END`;

/** An offer that was not taken; see `KnownRow`. */
const REFUSED = `fragment_id, offer->>'imageId', (offer->>'copy')::int, (offer->>'number')::int,
  CASE WHEN verdict = 'SUPERSEDED' AND (
    SELECT bool_or(f.state = 'DAMAGED' AND f.deletable_at IS NULL AND f.given_up_at IS NULL
        AND f.digest = offer->>'digest' AND f.stored_bytes = (offer->>'storedBytes')::bigint)
      AND NOT bool_or(${IS_LIVE})
    FROM ${EVERY_FRAGMENT} f WHERE f.image_id = offer->>'imageId'
      AND f.copy = (offer->>'copy')::int AND f.number = (offer->>'number')::int
  ) THEN 'MISSED' ELSE 'REFUSED' END, offer->>'digest', (offer->>'storedBytes')::bigint`;

/** The SQL of reconciliation. */
export class KnownRows {
  constructor(private readonly db: Queries) {}

  /** The database's time: what is committed after it is left out of a comparison. */
  async now(): Promise<Date> {
    const [row] = await this.db.query<{ now: Date }[]>('SELECT now() AS now');
    return row!.now;
  }

  /**
   * What the catalog has of a media server's fragments, by id, from behind `after` up to `through`
   * (null: to the end), at most `KNOWN_ROWS_MAX`.
   */
  async between(range: {
    readonly mediaId: string;
    readonly after: string | undefined;
    readonly through: string | null;
    readonly before: Date;
  }): Promise<KnownRow[]> {
    const rows = await this.db.query<Row[]>(
      `SELECT fragment_id, image_id, copy, number, ${STATE} AS state, digest, stored_bytes FROM fragment
       WHERE media_id = $1 AND ($2::uuid IS NULL OR fragment_id > $2)
         AND ($3::uuid IS NULL OR fragment_id <= $3) AND committed_at < $4
       UNION ALL
       SELECT ${REFUSED} FROM refused_fragment
       WHERE offer->>'mediaId' = $1 AND ($2::uuid IS NULL OR fragment_id > $2)
         AND ($3::uuid IS NULL OR fragment_id <= $3) AND refused_at < $4
       ORDER BY fragment_id LIMIT $5`,
      [range.mediaId, range.after ?? null, range.through, range.before, KNOWN_ROWS_MAX],
    );
    return rows.map(toKnown);
  }

  /** What the catalog has of these fragments, whichever media server it has them on. */
  async byIds(fragmentIds: readonly string[]): Promise<ReadonlyMap<string, KnownRow>> {
    if (fragmentIds.length === 0) return new Map();
    const rows = await this.db.query<Row[]>(
      `SELECT fragment_id, image_id, copy, number, ${STATE} AS state, digest, stored_bytes FROM fragment
       WHERE fragment_id = ANY($1::uuid[])
       UNION ALL
       SELECT ${REFUSED} FROM refused_fragment WHERE fragment_id = ANY($1::uuid[])`,
      [fragmentIds],
    );
    return new Map(rows.map((row) => [row.fragment_id, toKnown(row)]));
  }

  /** Nothing is left of what was granted: that is reported as well as any report could. */
  async reportDeleted(fragmentIds: readonly string[]): Promise<void> {
    if (fragmentIds.length === 0) return;
    await this.db.query(
      `UPDATE fragment SET state = 'DELETED', deleted_at = now()
       WHERE fragment_id = ANY($1::uuid[]) AND state = 'DELETING'`,
      [fragmentIds],
    );
  }

  /**
   * Has grants go out again at once: of what is granted, and of what came back after its deletion. Those
   * sent the longest ago go first, in the order of an index that has what was never sent at its end.
   */
  async sendGrantsAgain(fragmentIds: readonly string[]): Promise<void> {
    if (fragmentIds.length === 0) return;
    await this.db.query(
      `UPDATE fragment SET state = 'DELETING', deleted_at = NULL, grant_sent_at = to_timestamp(0)
       WHERE fragment_id = ANY($1::uuid[]) AND state IN ('DELETING', 'DELETED')`,
      [fragmentIds],
    );
  }
}

function toKnown(row: Row): KnownRow {
  return {
    fragmentId: row.fragment_id,
    imageId: row.image_id,
    copy: row.copy,
    number: row.number,
    state: row.state,
    digest: row.digest,
    storedBytes: Number(row.stored_bytes),
  };
}
