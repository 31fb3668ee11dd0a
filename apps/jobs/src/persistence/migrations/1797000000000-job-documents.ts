import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A job's document changes some ten times in its life. Kept in its row, as long as it fits into a page, it need not be
 * compressed and moved out each time, which took longer than all the rest of the change.
 */
export class JobDocuments1797000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE job SET (toast_tuple_target = 8160)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE job RESET (toast_tuple_target)');
  }
}
