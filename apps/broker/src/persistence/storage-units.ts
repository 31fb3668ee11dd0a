import type { EntityManager } from 'typeorm';
import type { StorageUnit } from '#contracts/broker.js';
import type { UnitResource } from '../domain/resources.js';

interface Row {
  readonly name: string;
  readonly media_id: string;
  readonly pool: string;
  readonly jobs_max: number;
  readonly fragment_bytes_max: string;
  readonly jobs_active: number;
}

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

  /** All units by name, each with the slots that are taken. */
  async all(): Promise<UnitResource[]> {
    const rows: Row[] = await this.db.query(
      `SELECT storage_unit.*, (SELECT count(*)::int FROM allocation WHERE unit = name) AS jobs_active
       FROM storage_unit ORDER BY name`,
    );
    return rows.map((row) => ({
      name: row.name,
      mediaId: row.media_id,
      pool: row.pool,
      jobsMax: row.jobs_max,
      fragmentBytesMax: Number(row.fragment_bytes_max),
      jobsActive: row.jobs_active,
    }));
  }
}
