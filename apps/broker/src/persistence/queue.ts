import type { EntityManager } from 'typeorm';
import { prepared } from '#outbox/prepared.js';
import type { QueueTurn } from '#contracts/broker.js';
import { bytesOf, type ResourceRequest, type WaitingRequest } from '../domain/resource-request.js';
import type { Openings, Targets } from '../domain/plan/targets.js';
import type { AttemptId } from './allocations.js';
import type { WaitingAtAll } from './resource-table.js';
import { needsOf, toWaiting, type WaitingRow } from './waiting-row.js';

/** Requests that are looked at before the openings are asked for again. */
const WINDOW_ROWS = 32;

/** The next requests that could be granted something, in the order of their turns. */
export interface Window {
  readonly requests: readonly WaitingRequest[];
  /** True: there are no more. */
  readonly isLast: boolean;
}

/** The SQL about what waits, as far as it decides who gets what. */
export class Queue {
  /** Whoever has just read what the queue is like spares this some of its questions. */
  constructor(
    private readonly db: EntityManager,
    private readonly waiting?: WaitingAtAll,
  ) {}

  /**
   * The next requests behind `after` that fit into the openings. What that costs does not grow with
   * those who wait for what is busy, full or away.
   */
  async window(open: Openings, after: QueueTurn | undefined): Promise<Window> {
    const isShut = open.units.size === 0 && this.waiting?.onlyForUnits === true;
    if (this.waiting?.since === null || isShut) return { requests: [], isLast: true };
    const rows: WaitingRow[] = await this.db.query(WINDOW, [
      ...[[...open.units.keys()], [...open.units.values()]],
      ...[[...open.pools.keys()], [...open.pools.values()], open.serversUp],
      ...[open.clientsAtLimit, JSON.stringify(Object.fromEntries(open.policyJobs))],
      ...[after?.priority ?? null, after?.arrival ?? null],
      JSON.stringify(Object.fromEntries(open.streams)),
    ]);
    return { requests: rows.map(toWaiting), isLast: rows.length < WINDOW_ROWS };
  }

  /** See `claimants`: the first of each priority that waits for `sound` targets, if it came before. */
  async claimants(sound: Targets, before: Date): Promise<WaitingRequest[]> {
    if (this.waiting && !(this.waiting.since && this.waiting.since <= before)) return [];
    const rows: WaitingRow[] = await this.db.query(CLAIMANTS, [
      ...[[...sound.units.keys()], [...sound.units.values()]],
      ...[[...sound.pools.keys()], [...sound.pools.values()], sound.serversUp],
      before,
    ]);
    return rows.map(toWaiting);
  }

  /** Puts requests at the end of the queue, in this order. */
  async add(requests: readonly ResourceRequest[], now: Date): Promise<void> {
    if (requests.length === 0) return;
    const rows = requests.map((request, n) => ({
      n,
      ...needsOf(request),
      ...{ job: request.job, attempt: request.attempt, purpose: request.purpose },
      ...{ client: request.client, priority: request.priority, bytes: bytesOf(request) },
    }));
    await this.db.query(
      `INSERT INTO waiting (job, attempt, purpose, client, priority, estimated_bytes, unit, pool,
         media, any_of, policy, policy_jobs_max, multiplexing, queued_at)
       SELECT job, attempt, purpose, client, priority, bytes, unit, pool, media, "anyOf", policy,
         "policyJobsMax", multiplexing, $2
       FROM json_to_recordset($1) AS asked (job bigint, attempt bigint, purpose text,
         client text, priority bigint, bytes bigint, unit text, pool text, media text[],
         "anyOf" jsonb, policy text, "policyJobsMax" integer,
         multiplexing integer, n bigint)
       ORDER BY n`,
      [JSON.stringify(rows), now],
    );
  }

  async remove(requests: readonly AttemptId[]): Promise<void> {
    if (requests.length === 0) return;
    await this.db.query(
      prepared(`DELETE FROM waiting USING unnest($1::bigint[], $2::bigint[]) AS gone (job, attempt)
       WHERE waiting.job = gone.job AND waiting.attempt = gone.attempt`),
      [requests.map(({ job }) => job), requests.map(({ attempt }) => attempt)],
    );
  }

  /** False where the job waits for nothing. */
  async setPriority(job: number, priority: number): Promise<boolean> {
    const [, count] = (await this.db.query('UPDATE waiting SET priority = $2 WHERE job = $1', [
      job,
      priority,
    ])) as [unknown, number];
    return count > 0;
  }
}

/**
 * For each thing that may be named the first few; then the first few of these. Rows that a limit
 * stands against are passed over in the index: there may be many, and they cost little. Planning costs
 * five times as much as reading, so it is planned once: a plan for an empty table, too, takes no more than
 * some milliseconds for ten thousand rows, until PostgreSQL has counted them within the next minute.
 */
const WINDOW = prepared(`
  SELECT * FROM (
    SELECT next.* FROM unnest($1::text[], $2::bigint[]) AS open (name, room) CROSS JOIN LATERAL (
      SELECT * FROM waiting
      WHERE waiting.unit = open.name AND (estimated_bytes = 0 OR estimated_bytes <= open.room)
        AND client <> ALL ($6::text[])
        AND (multiplexing IS NULL
          OR multiplexing >= coalesce(($10::jsonb ->> open.name)::integer, 1))
        AND (policy IS NULL OR policy_jobs_max IS NULL
          OR policy_jobs_max > coalesce(($7::jsonb ->> policy)::integer, 0))
        AND ($8::bigint IS NULL OR priority < $8 OR (priority = $8 AND arrival > $9::bigint))
      ORDER BY priority DESC, arrival LIMIT ${WINDOW_ROWS}) AS next
    UNION ALL
    SELECT next.* FROM unnest($3::text[], $4::bigint[]) AS open (name, room) CROSS JOIN LATERAL (
      SELECT * FROM waiting
      WHERE waiting.pool = open.name AND (estimated_bytes = 0 OR estimated_bytes <= open.room)
        AND media && $5::text[]
        AND ($8::bigint IS NULL OR priority < $8 OR (priority = $8 AND arrival > $9::bigint))
      ORDER BY priority DESC, arrival LIMIT ${WINDOW_ROWS}) AS next
    UNION ALL
    SELECT * FROM (
      SELECT * FROM waiting
      WHERE unit IS NULL AND pool IS NULL
        AND CASE WHEN any_of IS NULL THEN media <@ $5::text[] ELSE NOT EXISTS (
          SELECT FROM jsonb_array_elements(any_of) AS one (set) WHERE NOT one.set ?| $5::text[]) END
        AND ($8::bigint IS NULL OR priority < $8 OR (priority = $8 AND arrival > $9::bigint))
      ORDER BY priority DESC, arrival LIMIT ${WINDOW_ROWS}) AS reads
  ) AS eligible ORDER BY priority DESC, arrival LIMIT ${WINDOW_ROWS}`);

/** Jumps from one priority to the next one, as there is no other way to skip rows of an index. */
const CLAIMANTS = `
  WITH RECURSIVE level AS (
    (SELECT priority FROM waiting ORDER BY priority DESC LIMIT 1)
    UNION ALL
    SELECT (SELECT waiting.priority FROM waiting WHERE waiting.priority < level.priority
      ORDER BY waiting.priority DESC LIMIT 1)
    FROM level WHERE level.priority IS NOT NULL),
  units AS (SELECT * FROM unnest($1::text[], $2::bigint[]) AS sound (name, room)),
  pools AS (SELECT * FROM unnest($3::text[], $4::bigint[]) AS sound (name, room))
  SELECT oldest.* FROM level CROSS JOIN LATERAL (
    SELECT * FROM waiting
    WHERE priority = level.priority AND (
      EXISTS (SELECT FROM units WHERE name = waiting.unit
        AND (estimated_bytes = 0 OR estimated_bytes <= room))
      OR media && $5::text[] AND EXISTS (SELECT FROM pools WHERE name = waiting.pool
        AND (estimated_bytes = 0 OR estimated_bytes <= room)))
    ORDER BY arrival LIMIT 1) AS oldest
  WHERE oldest.queued_at <= $6
  ORDER BY oldest.priority DESC`;
