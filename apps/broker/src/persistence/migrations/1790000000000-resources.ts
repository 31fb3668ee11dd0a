import type { MigrationInterface, QueryRunner } from 'typeorm';
import { OUTBOX_TABLES } from '#outbox/tables.js';

/** Hosts, storage units, what is granted and what waits. */
export class Resources1790000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(OUTBOX_TABLES);
    await runner.query(`
      CREATE TABLE media_server (
        media_id text PRIMARY KEY,
        host text NOT NULL,
        version text NOT NULL,
        address jsonb NOT NULL,
        volumes jsonb NOT NULL,
        last_seen_at timestamptz NOT NULL
      );
      CREATE TABLE client (
        client text PRIMARY KEY,
        host text NOT NULL,
        version text NOT NULL,
        last_seen_at timestamptz NOT NULL
      );
      CREATE TABLE storage_unit (
        name text PRIMARY KEY,
        media_id text NOT NULL,
        pool text NOT NULL,
        jobs_max integer NOT NULL,
        fragment_bytes_max bigint NOT NULL
      );
      CREATE TABLE allocation (
        allocation_id uuid PRIMARY KEY,
        job bigint NOT NULL,
        attempt bigint NOT NULL,
        purpose text NOT NULL,
        client text NOT NULL,
        unit text,
        pool text,
        fragment_bytes_max bigint,
        media text[] NOT NULL,
        granted_at timestamptz NOT NULL,
        lease_until timestamptz NOT NULL,
        CONSTRAINT allocation_job_attempt UNIQUE (job, attempt)
      );
      CREATE INDEX allocation_unit ON allocation (unit);
      CREATE INDEX allocation_lease_until ON allocation (lease_until);
      CREATE TABLE waiting (
        arrival bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        job bigint NOT NULL,
        attempt bigint NOT NULL,
        purpose text NOT NULL,
        client text NOT NULL,
        unit text,
        media text[],
        priority bigint NOT NULL,
        CONSTRAINT waiting_job_attempt UNIQUE (job, attempt)
      );
      CREATE INDEX waiting_turn ON waiting (unit, priority DESC, arrival);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'DROP TABLE waiting, allocation, storage_unit, client, media_server, outbox, inbox',
    );
  }
}
