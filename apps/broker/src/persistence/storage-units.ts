import type { EntityManager } from 'typeorm';
import type { StorageUnit } from '#contracts/broker.js';

/** The SQL about storage units. */
export class StorageUnits {
  constructor(private readonly db: EntityManager) {}

  async put(unit: StorageUnit): Promise<void> {
    await this.db.query(
      `INSERT INTO storage_unit (name, media_id, pool, jobs_max, fragment_bytes_max)
       VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (name) DO UPDATE SET media_id = EXCLUDED.media_id, pool = EXCLUDED.pool,
         jobs_max = EXCLUDED.jobs_max, fragment_bytes_max = EXCLUDED.fragment_bytes_max`,
      [unit.name, unit.mediaId, unit.pool, unit.jobsMax, unit.fragmentBytesMax],
    );
  }
}
