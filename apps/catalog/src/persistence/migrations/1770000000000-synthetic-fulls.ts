import type { MigrationInterface, QueryRunner } from 'typeorm';

export class SyntheticFulls1770000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE image ADD COLUMN synthetic_of text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE image DROP COLUMN synthetic_of');
  }
}
