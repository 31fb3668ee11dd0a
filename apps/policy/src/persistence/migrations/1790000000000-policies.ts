import type { MigrationInterface, QueryRunner } from 'typeorm';
import { OUTBOX_TABLES } from '#outbox/tables.js';

/** Policies, what became of their backups, and the jobs that run. */
export class Policies1790000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(OUTBOX_TABLES);
    await runner.query(`
      CREATE TABLE policy (
        name text PRIMARY KEY,
        spec jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL
      );
      CREATE TABLE history (
        policy text NOT NULL,
        schedule text NOT NULL,
        client text NOT NULL,
        known_since timestamptz NOT NULL,
        last_good_job bigint,
        last_good_at timestamptz,
        failures jsonb NOT NULL,
        last_ended_job bigint,
        PRIMARY KEY (policy, schedule, client)
      );
      CREATE TABLE running_job (
        job bigint PRIMARY KEY,
        policy text NOT NULL,
        schedule text NOT NULL,
        client text NOT NULL,
        heard_at timestamptz NOT NULL
      );
      CREATE INDEX running_job_policy ON running_job (policy, client);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE running_job, history, policy, outbox, inbox');
  }
}
