import type { FragmentReceipt } from '#contracts/fragment.js';
import type { FragmentState } from './journal-state.js';

/** How a receipt came: over the stream (late, doubled, out of order), or as the catalog's answer. */
export type ReceiptOrigin = 'stream' | 'answer';

export type ReceiptDecision =
  /** It says nothing new. */
  | 'ignore'
  /** Its verdict goes into the journal, and then counts. */
  | 'record'
  /** The catalog lacks the image for now: the fragment stays sealed and is offered again later. */
  | 'wait'
  /** It contradicts what the journal has, and nobody can tell which is newer: ask the catalog. */
  | 'ask';

/**
 * What a receipt means for a fragment. There is no input by which a fragment could be removed, and
 * none that stands for silence.
 *
 * - A verdict on a fragment that was not sealed here is nothing to us (it stays in the catalog's
 *   books; reconciliation finds it).
 * - Within one epoch COMMITTED is the last word of the stream: a receipt that says otherwise left the
 *   catalog before it.
 * - When the epoch changed too, either may be the old one (the stream may hold receipts from before
 *   a failover), so the catalog is asked.
 * - The catalog's own answer is read from the primary now: it counts.
 */
export function decideReceipt(
  state: FragmentState | undefined,
  receipt: FragmentReceipt,
  origin: ReceiptOrigin,
): ReceiptDecision {
  if (state === undefined || state.phase === 'INTENT') return 'ignore';
  // Its deletion was confirmed: no verdict of an earlier moment matters any more.
  if (state.phase === 'CONDEMNED' || state.phase === 'REMOVED') return 'ignore';
  if (state.phase === 'SEALED') return receipt.verdict === 'UNKNOWN_IMAGE' ? 'wait' : 'record';
  const sameEpoch = state.catalogEpoch === receipt.catalogEpoch;
  if (state.verdict === receipt.verdict) return sameEpoch ? 'ignore' : 'record';
  if (origin === 'answer') return 'record';
  if (!sameEpoch) return 'ask';
  if (state.verdict === 'COMMITTED' || receipt.verdict === 'UNKNOWN_IMAGE') return 'ignore';
  return 'record';
}
