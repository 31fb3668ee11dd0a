import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lists of what was submitted in a span of time, and of what failed, read all jobs that are kept. */
export class JobLists1799000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX job_created ON job (created_at)');
    await runner.query('CREATE INDEX job_failed ON job (job) WHERE status > 1');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX job_created, job_failed');
  }
}
