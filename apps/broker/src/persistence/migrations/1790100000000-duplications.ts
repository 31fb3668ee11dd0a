import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Duplications wait for any unit of a pool; reads, for one server of each set. */
export class Duplications1790100000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE waiting ADD COLUMN pool text, ADD COLUMN any_of jsonb;
      CREATE INDEX waiting_pool_turn ON waiting (pool, priority DESC, arrival);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE waiting DROP COLUMN pool, DROP COLUMN any_of');
  }
}
