import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What lists, the driver and the pruner look for gets columns and indexes of its own. */
export class JobColumns1766000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE job
        ADD COLUMN schedule text NOT NULL DEFAULT '',
        ADD COLUMN kind text,
        ADD COLUMN parent bigint,
        ADD COLUMN status int,
        ADD COLUMN storage text,
        ADD COLUMN media_id text,
        ADD COLUMN started_at timestamptz,
        ADD COLUMN ended_at timestamptz,
        ADD COLUMN wake_at timestamptz,
        ADD COLUMN paused_at timestamptz,
        ADD COLUMN owes boolean NOT NULL DEFAULT false,
        ADD COLUMN files bigint NOT NULL DEFAULT 0,
        ADD COLUMN bytes bigint NOT NULL DEFAULT 0;
      UPDATE job SET
        schedule = coalesce(document->'request'->>'schedule', ''),
        kind = coalesce(document->'image'->>'kind', document->'request'->>'kind'),
        status = CASE WHEN step = 'done' THEN (document->'outcome'->>'status')::int END,
        storage = coalesce(document->'request'->>'storage', document->'request'->>'toPool'),
        media_id = document->'allocation'->'media'->0->>'mediaId',
        started_at = (document->>'startedAt')::timestamptz,
        ended_at = (document->>'endedAt')::timestamptz,
        wake_at = CASE WHEN step = 'retrying' THEN (document->'retry'->>'at')::timestamptz END,
        files = coalesce((document->'progress'->>'files')::bigint, 0),
        bytes = coalesce((document->'progress'->>'bytes')::bigint, 0),
        state = CASE WHEN step = 'retrying' THEN 'waiting-for-retry'
          WHEN step IN ('planning', 'allocating') THEN 'queued' ELSE state END;
      CREATE INDEX job_state ON job (state, job);
      CREATE INDEX job_policy ON job (policy, client, job);
      CREATE INDEX job_parent ON job (parent, job) WHERE parent IS NOT NULL;
      CREATE INDEX job_good ON job (policy, client, kind, job)
        WHERE type = 'backup' AND status <= 1;
      CREATE INDEX job_ended ON job (ended_at);
      CREATE INDEX job_wake ON job (wake_at) WHERE wake_at IS NOT NULL;
      CREATE INDEX job_paused ON job (paused_at) WHERE paused_at IS NOT NULL;
      CREATE INDEX job_owes ON job (job) WHERE owes;
      DROP INDEX job_open;
      CREATE INDEX job_open ON job (step, job) WHERE step <> 'done';
      CREATE INDEX job_image ON job (image_id) WHERE step <> 'done';
      ALTER TABLE job_log ADD COLUMN host text;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX job_state, job_policy, job_parent, job_ended, job_wake, job_paused, job_owes, job_good,
        job_image, job_open;
      CREATE INDEX job_open ON job (step) WHERE step <> 'done';
      ALTER TABLE job DROP COLUMN schedule, DROP COLUMN kind, DROP COLUMN parent,
        DROP COLUMN status, DROP COLUMN storage, DROP COLUMN media_id, DROP COLUMN started_at,
        DROP COLUMN ended_at, DROP COLUMN wake_at, DROP COLUMN paused_at, DROP COLUMN owes,
        DROP COLUMN files, DROP COLUMN bytes;
      ALTER TABLE job_log DROP COLUMN host;
    `);
  }
}
