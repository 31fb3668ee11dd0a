import type { EntityManager } from 'typeorm';
import type { RetentionLevel } from '#contracts/policy.js';

/** The SQL about retention levels that were changed. */
export class RetentionLevels {
  constructor(private readonly db: EntityManager) {}

  /** The periods of those that do not stand for their default. */
  async changed(): Promise<ReadonlyMap<number, string>> {
    const rows: RetentionLevel[] = await this.db.query('SELECT level, period FROM retention_level');
    return new Map(rows.map(({ level, period }) => [level, period]));
  }

  async put({ level, period }: RetentionLevel): Promise<void> {
    await this.db.query(
      `INSERT INTO retention_level (level, period) VALUES ($1, $2)
       ON CONFLICT (level) DO UPDATE SET period = EXCLUDED.period`,
      [level, period],
    );
  }
}
