import type { EntityManager } from 'typeorm';
import type { StoragePool, UnitGroup } from '#contracts/broker/configuration.js';
import type { Uses } from '../domain/configuration-refusal.js';
import { StoragePoolEntity } from './entities/configuration.entity.js';

/** The SQL about groups, declared pools and limits of clients. */
export class Configuration {
  constructor(private readonly db: EntityManager) {}

  async putGroup({ name, units, selection }: UnitGroup): Promise<void> {
    await this.db.query(
      `INSERT INTO unit_group (name, units, selection) VALUES ($1, $2, $3)
       ON CONFLICT (name) DO UPDATE SET units = EXCLUDED.units, selection = EXCLUDED.selection`,
      [name, units, selection],
    );
  }

  async deleteGroup(name: string): Promise<void> {
    await this.db.query('DELETE FROM unit_group WHERE name = $1', [name]);
  }

  pools(): Promise<StoragePool[]> {
    return this.db.find(StoragePoolEntity, { order: { name: 'ASC' } });
  }

  async putPool(pool: StoragePool): Promise<void> {
    await this.db.query(
      `INSERT INTO storage_pool (name, class, description) VALUES ($1, $2, $3)
       ON CONFLICT (name) DO UPDATE SET class = EXCLUDED.class, description = EXCLUDED.description`,
      [pool.name, pool.class, pool.description],
    );
  }

  /** False where there was none. */
  async deletePool(name: string): Promise<boolean> {
    return ((await this.db.delete(StoragePoolEntity, { name })).affected ?? 0) > 0;
  }

  /** Null removes the limit. */
  async setLimit(client: string, jobsMax: number | null): Promise<void> {
    if (jobsMax === null) {
      await this.db.query('DELETE FROM client_limit WHERE client = $1', [client]);
      return;
    }
    await this.db.query(
      `INSERT INTO client_limit (client, jobs_max) VALUES ($1, $2)
       ON CONFLICT (client) DO UPDATE SET jobs_max = EXCLUDED.jobs_max`,
      [client, jobsMax],
    );
  }

  /**
   * Who has something of a unit, or waits for a unit or a group of that name, or for `pool`, where
   * the unit is the only one of it.
   */
  async usesOf(name: string, pool?: string): Promise<Uses> {
    const rows: { held: string; waiting: string }[] = await this.db.query(
      `SELECT (SELECT count(*) FROM allocation WHERE unit = $1) AS held,
         (SELECT count(*) FROM waiting WHERE unit = $1)
           + (SELECT count(*) FROM waiting WHERE pool = $2) AS waiting`,
      [name, pool ?? null],
    );
    return { held: Number(rows[0]!.held), waiting: Number(rows[0]!.waiting) };
  }

  /** Requests that only this media server has the source of, or of a part of it. */
  async waitingForSource(mediaId: string): Promise<number> {
    const rows: { count: string }[] = await this.db.query(
      `SELECT count(*) FROM waiting WHERE (purpose <> 'write' OR any_of IS NOT NULL) AND CASE
         WHEN any_of IS NOT NULL THEN EXISTS (
           SELECT FROM jsonb_array_elements(any_of) AS one (set)
           WHERE one.set <@ jsonb_build_array($1::text))
         WHEN purpose = 'read' THEN $1 = ANY (media)
         ELSE media <@ ARRAY[$1::text] END`,
      [mediaId],
    );
    return Number(rows[0]!.count);
  }
}
