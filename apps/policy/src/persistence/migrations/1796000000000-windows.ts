import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Run days of calendars, what a change holds back, suspended scheduling, retention levels. */
export class Windows1796000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE history
        ADD COLUMN last_good_planned_at timestamptz,
        ADD COLUMN held_until timestamptz;
      ALTER TABLE running_job ADD COLUMN due_at timestamptz;
      CREATE TABLE suspension (
        policy text PRIMARY KEY,
        since timestamptz NOT NULL
      );
      CREATE TABLE retention_level (
        level integer PRIMARY KEY,
        period text NOT NULL
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE retention_level, suspension;
      ALTER TABLE running_job DROP COLUMN due_at;
      ALTER TABLE history DROP COLUMN last_good_planned_at, DROP COLUMN held_until;
    `);
  }
}
