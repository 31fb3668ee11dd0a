import type { MigrationInterface, QueryRunner } from 'typeorm';
import { SETTINGS_TABLE } from '#service/settings/settings-table.js';

/** What people set while the service runs. */
export class Settings1790500000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SETTINGS_TABLE);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE setting');
  }
}
