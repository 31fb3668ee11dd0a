import type { EntityManager } from 'typeorm';
import type { OpenJob } from '../domain/due/agenda.js';
import type { Failure, History } from '../domain/due/history.js';

/** Which rows are wanted; without a name all. */
export interface RowFilter {
  readonly policy?: string | undefined;
  readonly client?: string | undefined;
}

interface HistoryRow {
  readonly policy: string;
  readonly schedule: string;
  readonly client: string;
  readonly known: number;
  readonly held: number | null;
  readonly job: number | null;
  readonly good: number | null;
  readonly planned: number | null;
  readonly failures: readonly StoredFailure[] | null;
}

interface StoredFailure {
  readonly job: number | null;
  readonly at: string;
  readonly status: number;
}

export type HistoryLookup = (
  policy: string,
  schedule: string,
  client: string,
) => History | undefined;
export type RunningLookup = (policy: string, client: string) => OpenJob | undefined;

/**
 * All that due times follow from, in two queries. There are hundreds of thousands of rows, so they
 * are read as numbers and not as entities.
 */
export class AgendaRows {
  constructor(private readonly db: EntityManager) {}

  async histories({ policy, client }: RowFilter) {
    const rows: HistoryRow[] = await this.db.query(
      `SELECT policy, schedule, client,
         (extract(epoch FROM known_since) * 1000)::float8 AS known,
         (extract(epoch FROM held_until) * 1000)::float8 AS held,
         last_good_job::float8 AS job,
         (extract(epoch FROM last_good_at) * 1000)::float8 AS good,
         (extract(epoch FROM last_good_planned_at) * 1000)::float8 AS planned,
         nullif(failures, '[]') AS failures
       FROM history
       WHERE ($1::text IS NULL OR policy = $1) AND ($2::text IS NULL OR client = $2)`,
      [policy ?? null, client ?? null],
    );
    const found = new Map<string, Map<string, Map<string, History>>>();
    for (const row of rows) {
      const ofPolicy = inner(found, row.policy);
      inner(ofPolicy, row.schedule).set(row.client, toHistory(row));
    }
    const lookup: HistoryLookup = (name, schedule, host) =>
      found.get(name)?.get(schedule)?.get(host);
    return lookup;
  }

  /** Of several jobs of a policy and client the newest that runs, or else the newest. */
  async running({ policy, client }: RowFilter) {
    const rows: (OpenJob & { policy: string; client: string })[] = await this.db.query(
      `SELECT DISTINCT ON (policy, client) policy, client, job::float8 AS job, schedule,
         failed_at AS "failedAt"
       FROM running_job
       WHERE ($1::text IS NULL OR policy = $1) AND ($2::text IS NULL OR client = $2)
       ORDER BY policy, client, failed_at IS NOT NULL, job DESC`,
      [policy ?? null, client ?? null],
    );
    const found = new Map<string, Map<string, OpenJob>>();
    for (const { job, schedule, failedAt, ...row } of rows) {
      inner(found, row.policy).set(row.client, { job, schedule, failedAt });
    }
    const lookup: RunningLookup = (name, host) => found.get(name)?.get(host);
    return lookup;
  }
}

function inner<V>(outer: Map<string, Map<string, V>>, key: string): Map<string, V> {
  let map = outer.get(key);
  if (map === undefined) outer.set(key, (map = new Map()));
  return map;
}

const NO_FAILURES: readonly Failure[] = [];

function toHistory({ known, held, job, good, planned, failures }: HistoryRow): History {
  return {
    knownSince: new Date(known),
    heldUntil: held === null ? null : new Date(held),
    lastGood:
      good === null
        ? null
        : { job: job ?? 0, at: new Date(good), plannedAt: new Date(planned ?? good) },
    failures:
      failures === null
        ? NO_FAILURES
        : failures.map((failure) => ({ ...failure, at: new Date(failure.at) })),
  };
}
