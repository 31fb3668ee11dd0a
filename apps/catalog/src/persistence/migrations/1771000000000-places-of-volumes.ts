import type { MigrationInterface, QueryRunner } from 'typeorm';

export class PlacesOfVolumes1771000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE media_volume ADD COLUMN pool text, ADD COLUMN path text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE media_volume DROP COLUMN pool, DROP COLUMN path');
  }
}
