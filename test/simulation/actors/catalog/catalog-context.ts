import type { Oracle } from '../../checks/oracle.js';
import type { Life } from '../../kernel/host.js';
import type { Transaction } from '../../parts/database.js';
import type { Rules } from '../../rules.js';
import type { Link, Work } from '../link.js';

/** What the parts of a catalog's program have of it. */
export interface CatalogContext {
  readonly life: Life;
  readonly link: Link;
  readonly rules: Rules;
  readonly oracle: Oracle;
  /** As `Link.transaction`. */
  transaction<T>(work: (unit: Work) => Promise<T>): Promise<T>;
  /** Which catalog this is: it changes when the database went back in time. */
  epoch(db: Transaction): Promise<string>;
  /** A name that no other life, and no other call, gives. */
  fresh(): string;
}
