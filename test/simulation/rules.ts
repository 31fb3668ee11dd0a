import { answerClaim, decideDeletion } from '../../apps/catalog/src/domain/deletion.js';
import { isLastGood, planExpiry } from '../../apps/catalog/src/domain/expiry.js';
import { judge, mayCommit } from '../../apps/catalog/src/domain/verdict.js';

/**
 * What the programs decide by: the real domain functions. A mutant puts others in their place, or
 * gives the programs a habit that they must not have; then the simulator has to find a violation.
 */
export interface Rules {
  readonly mayCommit: typeof mayCommit;
  readonly judge: typeof judge;
  readonly decideDeletion: typeof decideDeletion;
  readonly answerClaim: typeof answerClaim;
  readonly planExpiry: typeof planExpiry;
  readonly isLastGood: typeof isLastGood;
  readonly habits: Habits;
}

export interface Habits {
  /** Takes the broker's acknowledgement for the catalog's verdict. */
  readonly trustsTheBroker?: true;
  /** As in the seed: gives up the source when a fragment cannot be recorded. */
  readonly deletesOnSilence?: true;
  /** Removes what the catalog does not know. */
  readonly sweepsTheUnknown?: true;
  /** Seals without having synced the data. */
  readonly skipsSync?: true;
  /** Tells the world of a fragment each time that it is offered. */
  readonly announcesRepeats?: true;
  /** Removes by the grant alone. */
  readonly skipsTheClaim?: true;
  /** Grants what is due without having compared the media servers since the database was put back. */
  readonly grantsInDoubt?: true;
  /** Calls an image complete when its writer says that it is through, as the seed did. */
  readonly countsNothing?: true;
  /** Never offers past the broker. */
  readonly offersByBrokerOnly?: true;
  /** Takes for durable what an earlier life has left behind. */
  readonly settlesNothing?: true;
  /** Offers each fragment once. */
  readonly offersOnce?: true;
}

export const REAL_RULES: Rules = {
  mayCommit,
  judge,
  decideDeletion,
  answerClaim,
  planExpiry,
  isLastGood,
  habits: {},
};
