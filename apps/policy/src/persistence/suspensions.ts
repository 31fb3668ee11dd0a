import type { EntityManager } from 'typeorm';
import type { Suspension } from '#contracts/policy.js';

const WHOLE_CLUSTER = '';

/** What is suspended, as it stood when it was read. */
export class SuspensionList {
  constructor(private readonly since: ReadonlyMap<string, Date>) {}

  /** Since when nothing of a policy starts by itself; null if it does. */
  sinceOf(policy: string): Date | null {
    return this.since.get(WHOLE_CLUSTER) ?? this.since.get(policy) ?? null;
  }

  /** The whole cluster's first, then by policy. */
  get views(): Suspension[] {
    return [...this.since].map(([policy, since]) => ({
      policy: policy === WHOLE_CLUSTER ? null : policy,
      since: since.toISOString(),
    }));
  }
}

/** The SQL about suspended scheduling. Without a policy it is about the whole cluster. */
export class Suspensions {
  constructor(private readonly db: EntityManager) {}

  async all(): Promise<SuspensionList> {
    const rows: { policy: string; since: Date }[] = await this.db.query(
      'SELECT policy, since FROM suspension ORDER BY policy',
    );
    return new SuspensionList(new Map(rows.map(({ policy, since }) => [policy, since])));
  }

  /** What is suspended already stays so since then. */
  async suspend(policy: string | undefined, now: Date): Promise<void> {
    await this.db.query(
      'INSERT INTO suspension (policy, since) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [policy ?? WHOLE_CLUSTER, now],
    );
  }

  async resume(policy: string | undefined): Promise<void> {
    await this.db.query('DELETE FROM suspension WHERE policy = $1', [policy ?? WHOLE_CLUSTER]);
  }
}
