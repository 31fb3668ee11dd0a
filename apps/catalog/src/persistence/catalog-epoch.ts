import { Injectable, Logger } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { DataSource } from 'typeorm';
import { messageOf } from '#kernel/errors.js';

/**
 * Which catalog this is: the database system's identifier and a random part, made once. Every
 * receipt bears it, so a media server notices that another catalog answers.
 */
@Injectable()
export class CatalogEpoch {
  private readonly logger = new Logger('catalog');
  private known: Promise<string> | undefined;

  constructor(private readonly database: DataSource) {}

  /** Read once; a try that failed is made again at the next call. */
  get(): Promise<string> {
    this.known ??= this.readOrMake().catch((error: unknown) => {
      this.known = undefined;
      throw error;
    });
    return this.known;
  }

  private async readOrMake(): Promise<string> {
    const fresh = `${await this.systemIdentifier()}-${randomBytes(8).toString('hex')}`;
    await this.database.query(
      `INSERT INTO catalog_state (the_only, catalog_epoch) VALUES (true, $1)
       ON CONFLICT DO NOTHING`,
      [fresh],
    );
    const [row] = await this.database.query<{ catalog_epoch: string }[]>(
      'SELECT catalog_epoch FROM catalog_state',
    );
    return row!.catalog_epoch;
  }

  /** Some administrators keep it to themselves; the random part alone will do. */
  private async systemIdentifier(): Promise<string> {
    try {
      const [row] = await this.database.query<{ id: string }[]>(
        'SELECT system_identifier::text AS id FROM pg_control_system()',
      );
      return row?.id ?? '0';
    } catch (error) {
      this.logger.warn(`no system identifier: ${messageOf(error)}`);
      return '0';
    }
  }
}
