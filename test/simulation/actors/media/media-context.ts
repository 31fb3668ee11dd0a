import type { CommitOffers } from '../../../../apps/media/src/commits/commit-offers.js';
import type { Life } from '../../kernel/host.js';
import type { Rules } from '../../rules.js';
import type { Link } from '../link.js';
import type { FragmentWriter } from './fragment-writer.js';
import type { SimLedger } from './sim-ledger.js';
import type { SimStore } from './sim-store.js';

/** What the parts of a media server's program have of each other. */
export interface MediaContext {
  readonly life: Life;
  readonly link: Link;
  readonly mediaId: string;
  readonly rules: Rules;
  readonly store: SimStore;
  readonly ledger: SimLedger | undefined;
  readonly writer: FragmentWriter;
  readonly offers: Pick<CommitOffers, 'verdict'>;
  /** Adds a sealed fragment to what is offered. */
  offer(fragmentId: string): void;
  /** A journal that fails ends the program: what waits for it never comes to anything. */
  untilJournalBreaks<T>(work: Promise<T>): Promise<T>;
}
