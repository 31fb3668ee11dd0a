import type { EntityManager } from 'typeorm';
import type { StorageUnit } from '#contracts/broker.js';

/** The SQL about storage units. */
export class StorageUnits {
  constructor(private readonly db: EntityManager) {}

  /** Whether it is drained or full stays as it is. */
  async put(unit: StorageUnit): Promise<void> {
    await this.db.query(
      `INSERT INTO storage_unit (name, media_id, pool, jobs_max, fragment_bytes_max,
         high_water_percent, low_water_percent, on_demand_only, max_streams_per_drive)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       ON CONFLICT (name) DO UPDATE SET media_id = EXCLUDED.media_id, pool = EXCLUDED.pool,
         jobs_max = EXCLUDED.jobs_max, fragment_bytes_max = EXCLUDED.fragment_bytes_max,
         high_water_percent = EXCLUDED.high_water_percent,
         low_water_percent = EXCLUDED.low_water_percent,
         on_demand_only = EXCLUDED.on_demand_only,
         max_streams_per_drive = EXCLUDED.max_streams_per_drive`,
      [
        ...[unit.name, unit.mediaId, unit.pool, unit.jobsMax, unit.fragmentBytesMax],
        ...[unit.highWaterPercent, unit.lowWaterPercent, unit.onDemandOnly],
        unit.maxStreamsPerDrive,
      ],
    );
  }

  async delete(name: string): Promise<void> {
    await this.db.query('DELETE FROM storage_unit WHERE name = $1', [name]);
  }

  async setDrained(name: string, drained: boolean): Promise<void> {
    await this.db.query('UPDATE storage_unit SET drained = $2 WHERE name = $1', [name, drained]);
  }

  async setFull(name: string, full: boolean): Promise<void> {
    await this.db.query('UPDATE storage_unit SET is_full = $2 WHERE name = $1', [name, full]);
  }

  /** Remembers the order in which units of groups were chosen. */
  async setChosen(chosen: ReadonlyMap<string, number>): Promise<void> {
    if (chosen.size === 0) return;
    await this.db.query(
      `UPDATE storage_unit SET chosen = latest.chosen
       FROM unnest($1::text[], $2::bigint[]) AS latest (name, chosen)
       WHERE storage_unit.name = latest.name`,
      [[...chosen.keys()], [...chosen.values()]],
    );
  }
}
