import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which jobs are incomplete, and may be gone on with. */
export class IncompleteJobs1798000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE running_job
        ADD COLUMN failed_at timestamptz,
        ADD COLUMN revision bigint NOT NULL DEFAULT 0
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE running_job DROP COLUMN revision, DROP COLUMN failed_at');
  }
}
