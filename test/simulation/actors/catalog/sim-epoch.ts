import { hashOf } from '../../kernel/chance.js';
import type { Transaction } from '../../parts/database.js';
import type { SimDatabase } from '../../parts/sim-database.js';
import { STATE } from '../tables.js';

const KEY = 'the only';

/**
 * Which catalog this is, as `CatalogEpoch` has it: the database's timeline and a random part. A program
 * keeps what it has read, until it reads it again.
 */
export class SimEpoch {
  private known: string | undefined;

  constructor(
    private readonly database: SimDatabase,
    /** Names that nobody else gives. */
    private readonly fresh: () => string,
  ) {}

  async get(db: Transaction): Promise<string> {
    return this.known ?? this.refresh(db);
  }

  /** Another catalog may have changed it, or the database be another one by now. */
  async refresh(db: Transaction): Promise<string> {
    const here = `sim-${this.database.timeline}`;
    await db.insert(STATE, KEY, { epoch: this.made() });
    const row = (await db.read(STATE, KEY))!;
    if (!String(row['epoch']).startsWith(`${here}-`)) {
      await db.update(STATE, KEY, { epoch: this.made() });
    }
    this.known = String((await db.read(STATE, KEY))!['epoch']);
    return this.known;
  }

  /**
   * Since when the catalog is as it is: since its database was started, under this epoch. To be read in
   * the transaction that relies on it.
   */
  async era(db: Transaction): Promise<string> {
    const row = await db.read(STATE, KEY);
    return `${this.database.starts} ${String(row?.['epoch'])}`;
  }

  /** After the catalog was found to have gone back in time. */
  async renew(db: Transaction): Promise<void> {
    await db.update(STATE, KEY, { epoch: this.made() });
    this.known = undefined;
  }

  private made(): string {
    return `sim-${this.database.timeline}-${hashOf(this.fresh())}`;
  }
}
