import type { MigrationInterface, QueryRunner } from 'typeorm';

export class KeywordsAndStreams1767000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE image ALTER COLUMN expires_at DROP NOT NULL,
        ADD COLUMN keyword text,
        ADD COLUMN run_group bigint,
        ADD COLUMN group_streams int;
      CREATE INDEX image_group ON image (client, policy, run_group) WHERE run_group IS NOT NULL;
      CREATE INDEX image_keyword ON image (keyword, backup_time) WHERE keyword IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX image_group, image_keyword;
      UPDATE image SET expires_at = timestamptz '9999-12-31 00:00:00Z' WHERE expires_at IS NULL;
      ALTER TABLE image ALTER COLUMN expires_at SET NOT NULL,
        DROP COLUMN keyword, DROP COLUMN run_group, DROP COLUMN group_streams`);
  }
}
