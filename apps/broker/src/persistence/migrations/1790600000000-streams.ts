import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How many jobs share a drive. */
export class Streams1790600000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE storage_unit ADD COLUMN max_streams_per_drive integer NOT NULL DEFAULT 1;
      ALTER TABLE waiting ADD COLUMN multiplexing integer;
      ALTER TABLE allocation ADD COLUMN multiplexing integer;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE allocation DROP COLUMN multiplexing;
      ALTER TABLE waiting DROP COLUMN multiplexing;
      ALTER TABLE storage_unit DROP COLUMN max_streams_per_drive;
    `);
  }
}
