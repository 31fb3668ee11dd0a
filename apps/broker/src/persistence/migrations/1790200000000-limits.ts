import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Water marks, groups, pools, limits of clients and policies, and what is drained. */
export class Limits1790200000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE media_server
        ADD COLUMN drained boolean NOT NULL DEFAULT false,
        ADD COLUMN announced text NOT NULL DEFAULT 'down';
      ALTER TABLE storage_unit
        ADD COLUMN high_water_percent integer NOT NULL DEFAULT 98,
        ADD COLUMN low_water_percent integer NOT NULL DEFAULT 80,
        ADD COLUMN on_demand_only boolean NOT NULL DEFAULT false,
        ADD COLUMN drained boolean NOT NULL DEFAULT false,
        ADD COLUMN is_full boolean NOT NULL DEFAULT false,
        ADD COLUMN chosen bigint NOT NULL DEFAULT 0;
      CREATE TABLE unit_group (
        name text PRIMARY KEY,
        units text[] NOT NULL,
        selection text NOT NULL
      );
      CREATE TABLE storage_pool (
        name text PRIMARY KEY,
        class text NOT NULL,
        description text NOT NULL
      );
      CREATE TABLE client_limit (
        client text PRIMARY KEY,
        jobs_max integer NOT NULL
      );
      ALTER TABLE allocation
        ADD COLUMN policy text,
        ADD COLUMN estimated_bytes bigint NOT NULL DEFAULT 0;
      ALTER TABLE waiting
        ADD COLUMN policy text,
        ADD COLUMN policy_jobs_max integer,
        ADD COLUMN estimated_bytes bigint NOT NULL DEFAULT 0,
        ADD COLUMN queued_at timestamptz NOT NULL DEFAULT now();
      CREATE INDEX waiting_level ON waiting (priority DESC, arrival);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX waiting_level;
      ALTER TABLE waiting DROP COLUMN policy, DROP COLUMN policy_jobs_max,
        DROP COLUMN estimated_bytes, DROP COLUMN queued_at;
      ALTER TABLE allocation DROP COLUMN policy, DROP COLUMN estimated_bytes;
      DROP TABLE unit_group, storage_pool, client_limit;
      ALTER TABLE storage_unit DROP COLUMN high_water_percent, DROP COLUMN low_water_percent,
        DROP COLUMN on_demand_only, DROP COLUMN drained, DROP COLUMN is_full, DROP COLUMN chosen;
      ALTER TABLE media_server DROP COLUMN drained, DROP COLUMN announced;
    `);
  }
}
