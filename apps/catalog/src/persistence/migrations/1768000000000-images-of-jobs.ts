import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Every attempt asks for the newest image of its job, abandoned ones too. */
export class ImagesOfJobs1768000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX image_of_job ON image (job, number)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX image_of_job');
  }
}
