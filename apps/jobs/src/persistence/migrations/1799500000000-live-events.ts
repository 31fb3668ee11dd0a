import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How far jobs have come is told past the outbox now, and the stream of events takes it no more: what an
 * earlier version has left there would be published in vain, and hold up what is behind it.
 */
export class LiveEvents1799500000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`DELETE FROM outbox WHERE subject LIKE 'hf.evt.v1.job.progressed.%'`);
  }

  async down(): Promise<void> {}
}
