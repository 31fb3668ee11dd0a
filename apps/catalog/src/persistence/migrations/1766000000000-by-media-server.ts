import type { MigrationInterface, QueryRunner } from 'typeorm';

export class ByMediaServer1766000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE media_volume (
        media_id text NOT NULL,
        volume_id uuid NOT NULL,
        away_since timestamptz,
        PRIMARY KEY (media_id, volume_id)
      );
      DROP INDEX fragment_index_to_load;
      CREATE INDEX fragment_index_to_load ON fragment (media_id, index_retry_at, number)
        WHERE index_loaded_at IS NULL AND state = 'ACTIVE'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE media_volume;
      DROP INDEX fragment_index_to_load;
      CREATE INDEX fragment_index_to_load ON fragment (index_retry_at)
        WHERE index_loaded_at IS NULL AND state = 'ACTIVE'`);
  }
}
