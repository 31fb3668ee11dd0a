import type { Run } from '../domain/chains/run-streams.js';
import { HELD_SINCE, IS_COMPLETE, WITH_COUNTS } from './image-views.js';
import type { Queries } from './queries.js';

/** Images of one client that one policy made. */
export interface RunScope {
  readonly client: string;
  readonly policy: string;
}

/**
 * What tells a run from others: several streams share a group; a backup that stands alone is a run of its own. Groups of
 * images that were imported are another cluster's numbers, and are never taken for ours.
 */
export interface RunName {
  readonly imageId: string;
  readonly group: number | null;
  readonly isImported: boolean;
}

interface RunRecord {
  readonly since: Date;
  readonly streams: number | null;
  readonly sets: string[];
}

/** The runs of policies, as their images tell of them. */
export class Runs {
  constructor(private readonly db: Queries) {}

  /** The run that an image belongs to. */
  async of(imageId: string): Promise<RunName> {
    const [row] = await this.db.query<{ run_group: string | null; imported: boolean }[]>(
      'SELECT run_group, job IS NULL AS imported FROM image WHERE image_id = $1',
      [imageId],
    );
    const group = row!.run_group;
    return { imageId, group: group === null ? null : Number(group), isImported: row!.imported };
  }

  /** The latest run behind this one that had begun before `before`: a stream of this one may be run again later. */
  async behind(run: RunName, scope: RunScope, before: Date): Promise<RunName | undefined> {
    if (run.group === null) return undefined;
    const [row] = await this.db.query<{ image_id: string; run_group: string }[]>(
      `SELECT i.image_id, i.run_group FROM image i
       WHERE i.client = $1 AND i.policy = $2 AND ${HELD_SINCE} < $3 AND i.run_group > $4
         AND (i.job IS NULL) = $5 ORDER BY i.run_group DESC LIMIT 1`,
      [scope.client, scope.policy, before, run.group, run.isImported],
    );
    return row && { ...run, imageId: row.image_id, group: Number(row.run_group) };
  }

  /**
   * What there is of a run's streams that began before `before`, from this run or an earlier one: a stream that has no COMPLETE
   * image yet counts as not begun. `since` is when the run began.
   */
  async read(run: RunName, scope: RunScope, before: Date): Promise<Run & { readonly since: Date }> {
    const [row] = await this.db.query<RunRecord[]>(
      `SELECT min(${HELD_SINCE}) AS since, max(i.group_streams) AS streams,
         array_agg(DISTINCT to_json(i.selection_set)::text) AS sets
       FROM image i
       WHERE i.client = $1 AND i.policy = $2 AND CASE WHEN $3::bigint IS NULL
         THEN i.image_id = $4 ELSE i.run_group = $3 AND (i.job IS NULL) = $5 END`,
      [scope.client, scope.policy, run.group, run.imageId, run.isImported],
    );
    const begun = row!.sets.map((set) => JSON.parse(set) as string[]);
    const sets: string[][] = [];
    for (const set of begun) if (await this.newestOf(scope, set, before)) sets.push(set);
    return { since: row!.since, streams: row!.streams ?? begun.length, sets };
  }

  /** The newest COMPLETE image with these selections that began before `before`. */
  async newestOf(
    { client, policy }: RunScope,
    selectionSet: readonly string[],
    before: Date,
  ): Promise<string | undefined> {
    const [row] = await this.db.query<{ image_id: string }[]>(
      `SELECT i.image_id FROM image i ${WITH_COUNTS}
       WHERE i.client = $1 AND i.policy = $2 AND i.selection_set = $3::text[]
         AND ${HELD_SINCE} < $4 AND ${IS_COMPLETE}
       ORDER BY i.backup_time DESC LIMIT 1`,
      [client, policy, selectionSet, before],
    );
    return row?.image_id;
  }
}
