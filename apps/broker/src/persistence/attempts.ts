import type { EntityManager } from 'typeorm';
import { prepared } from '#outbox/prepared.js';
import type { WaitingRequest } from '../domain/resource-request.js';
import { toAllocation, type AllocationRow, type AttemptId } from './allocations.js';
import type { AllocationEntity } from './entities/allocation.entity.js';
import { toWaiting, type WaitingRow } from './waiting-row.js';

/** What is known of an attempt; at most one of the two. */
export interface Known {
  readonly held: AllocationEntity | undefined;
  readonly waiting: WaitingRequest | undefined;
}

/** What became of taking attempts away. */
export interface Dropped {
  readonly held: boolean;
  readonly waited: boolean;
}

/** The SQL about attempts, whether they hold something or wait. */
export class Attempts {
  constructor(private readonly db: EntityManager) {}

  /**
   * What an attempt holds, its lease renewed, or what it waits for. In one statement: whoever is new
   * asks this, too.
   */
  async known({ job, attempt }: AttemptId, leaseUntil: Date): Promise<Known> {
    const rows: { held: AllocationRow | null; waiting: WaitingRow | null }[] = await this.db.query(
      prepared(`WITH renewed AS (
         UPDATE allocation SET lease_until = $3 WHERE job = $1 AND attempt = $2 RETURNING *)
       SELECT (SELECT row_to_json(renewed) FROM renewed) AS held,
         (SELECT row_to_json(waiting) FROM waiting WHERE job = $1 AND attempt = $2) AS waiting`),
      [job, attempt, leaseUntil],
    );
    const { held, waiting } = rows[0]!;
    return {
      held: held === null ? undefined : toAllocation(held),
      waiting: waiting === null ? undefined : toWaiting(waiting),
    };
  }

  async release({ job, attempt }: AttemptId): Promise<Dropped> {
    const rows: Dropped[] = await this.db.query(
      prepared(`WITH held AS (DELETE FROM allocation WHERE job = $1 AND attempt = $2 RETURNING 1),
         waited AS (DELETE FROM waiting WHERE job = $1 AND attempt = $2 RETURNING 1)
       SELECT EXISTS (SELECT FROM held) AS held, EXISTS (SELECT FROM waited) AS waited`),
      [job, attempt],
    );
    return rows[0]!;
  }

  /**
   * Takes away what earlier attempts of jobs hold or wait for, so that a new attempt never waits for
   * its own predecessor. Says for each whether that made something free, which is the newest attempt
   * that is left, 0 for none, and, as it costs no further round trip, whether the client is known.
   */
  async replaceEarlier(
    requests: readonly (AttemptId & { readonly client: string })[],
  ): Promise<{ newest: number; freed: boolean; clientKnown: boolean }[]> {
    const rows: {
      newest: string | null;
      freed: boolean;
      client_known: boolean;
    }[] = await this.db.query(
      `WITH asked AS (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])
           WITH ORDINALITY AS asked (job, attempt, client, n)),
         held AS (DELETE FROM allocation USING asked
           WHERE allocation.job = asked.job AND allocation.attempt < asked.attempt
           RETURNING allocation.job),
         waited AS (DELETE FROM waiting USING asked
           WHERE waiting.job = asked.job AND waiting.attempt < asked.attempt)
       SELECT greatest(
           (SELECT max(attempt) FROM allocation
            WHERE allocation.job = asked.job AND allocation.attempt >= asked.attempt),
           (SELECT max(attempt) FROM waiting
            WHERE waiting.job = asked.job AND waiting.attempt >= asked.attempt)) AS newest,
         EXISTS (SELECT FROM held WHERE held.job = asked.job) AS freed,
         EXISTS (SELECT FROM client WHERE client.client = asked.client) AS client_known
       FROM asked ORDER BY n`,
      [
        requests.map(({ job }) => job),
        requests.map(({ attempt }) => attempt),
        requests.map(({ client }) => client),
      ],
    );
    return rows.map(({ newest, freed, client_known: clientKnown }) => ({
      newest: Number(newest ?? 0),
      freed,
      clientKnown,
    }));
  }
}
