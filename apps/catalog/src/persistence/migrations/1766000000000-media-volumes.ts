import type { MigrationInterface, QueryRunner } from 'typeorm';

export class MediaVolumes1766000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE media_volume (
        media_id text NOT NULL,
        volume_id uuid NOT NULL,
        away_since timestamptz,
        PRIMARY KEY (media_id, volume_id)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE media_volume');
  }
}
