import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import type { PolicySpec } from '#contracts/policy.js';
import type { Hold } from '../domain/due/hold.js';
import type { History } from '../domain/due/history.js';
import { HistoryEntity } from './history.entity.js';

export interface EntryKey {
  readonly policy: string;
  readonly schedule: string;
  readonly client: string;
}

const failures = z.array(
  z.object({
    job: z.int().nullable(),
    at: z.iso.datetime().transform((text) => new Date(text)),
    status: z.int(),
  }),
);

/** The SQL about what became of the backups of each schedule and client. */
export class Histories {
  constructor(private readonly db: EntityManager) {}

  /** Begins a history for each schedule and client of a policy that has none. */
  async begin({ name, schedules, clients }: PolicySpec, now: Date): Promise<void> {
    await this.db.query(
      `INSERT INTO history (policy, schedule, client, known_since, failures)
       SELECT $1, schedule, client, $4, '[]'
       FROM unnest($2::text[]) AS schedule CROSS JOIN unnest($3::text[]) AS client
       ON CONFLICT DO NOTHING`,
      [name, schedules.map((schedule) => schedule.name), clients, now],
    );
  }

  /** An earlier hold of the same entry is replaced; all others stay. */
  async hold(policy: string, holds: readonly Hold[]): Promise<void> {
    await this.db.query(
      `UPDATE history SET held_until = held.until
       FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS held (schedule, client, until)
       WHERE history.policy = $1 AND history.schedule = held.schedule
         AND history.client = held.client`,
      [
        policy,
        ...[holds.map(({ schedule }) => schedule), holds.map(({ client }) => client)],
        holds.map(({ until }) => until),
      ],
    );
  }

  /** Locks one history until the transaction ends, and returns it. */
  async lock(key: EntryKey): Promise<{ history: History; lastEndedJob: number } | undefined> {
    const row = await this.db.findOne(HistoryEntity, {
      where: { policy: key.policy, schedule: key.schedule, client: key.client },
      lock: { mode: 'pessimistic_write' },
    });
    if (row === null) return undefined;
    return { history: toHistory(row), lastEndedJob: Number(row.lastEndedJob ?? 0) };
  }

  async save(key: EntryKey, history: History, endedJob: number | null): Promise<void> {
    await this.db.query(
      `UPDATE history SET last_good_job = $4, last_good_at = $5, failures = $6,
         last_good_planned_at = $7, last_ended_job = greatest(last_ended_job, $8)
       WHERE policy = $1 AND schedule = $2 AND client = $3`,
      [
        ...[key.policy, key.schedule, key.client],
        ...[history.lastGood?.job ?? null, history.lastGood?.at ?? null],
        ...[JSON.stringify(history.failures), history.lastGood?.plannedAt ?? null, endedJob],
      ],
    );
  }
}

function toHistory(row: HistoryEntity): History {
  const { knownSince, heldUntil, lastGoodJob, lastGoodAt, lastGoodPlannedAt } = row;
  return {
    ...{ knownSince, heldUntil },
    lastGood:
      lastGoodAt === null
        ? null
        : {
            job: Number(lastGoodJob),
            at: lastGoodAt,
            plannedAt: lastGoodPlannedAt ?? lastGoodAt,
          },
    failures: failures.parse(row.failures),
  };
}
