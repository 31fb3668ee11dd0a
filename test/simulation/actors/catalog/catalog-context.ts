import type { Oracle } from '../../checks/oracle.js';
import type { Life } from '../../kernel/host.js';
import type { Transaction } from '../../parts/database.js';
import type { Rules } from '../../rules.js';
import type { Settings } from '../cluster.js';
import type { Link, Work } from '../link.js';

/** What the parts of a catalog's program have of it. */
export interface CatalogContext {
  readonly life: Life;
  readonly link: Link;
  readonly rules: Rules;
  readonly oracle: Oracle;
  readonly settings: Settings;
  /** As `Link.transaction`. */
  transaction<T>(work: (unit: Work) => Promise<T>): Promise<T>;
  /** Which catalog this is, as this program has read it last. */
  epoch(db: Transaction): Promise<string>;
  /** The same, read anew in a transaction of its own. */
  epochNow(): Promise<string>;
  /** Those of the media servers that were not compared with the catalog since it was last in doubt. */
  uncompared(db: Transaction, mediaIds: readonly string[]): Promise<string[]>;
  /** The catalog has gone back in time: it is another one from now on. */
  renewEpoch(): Promise<void>;
  /** A name that no other life, and no other call, gives. */
  fresh(): string;
}
