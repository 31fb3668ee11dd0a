import type { MigrationInterface, QueryRunner } from 'typeorm';
import { OUTBOX_TABLES } from '#outbox/tables.js';

export class Jobs1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE job (
        job bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        request_id uuid UNIQUE,
        type text NOT NULL,
        step text NOT NULL,
        state text NOT NULL,
        client text NOT NULL,
        policy text NOT NULL,
        priority int NOT NULL,
        image_id text,
        created_at timestamptz NOT NULL,
        document jsonb NOT NULL
      );
      CREATE INDEX job_open ON job (step) WHERE step <> 'done';
      CREATE INDEX job_client ON job (client, job);
      CREATE TABLE job_log (
        job bigint NOT NULL,
        line bigint GENERATED ALWAYS AS IDENTITY,
        at timestamptz NOT NULL,
        attempt int NOT NULL,
        process text NOT NULL,
        pid int NOT NULL,
        severity text NOT NULL,
        text text NOT NULL,
        PRIMARY KEY (job, line)
      );
      ${OUTBOX_TABLES}
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE job, job_log, inbox, outbox');
  }
}
