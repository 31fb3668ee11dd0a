import type { Manifest } from '#archive/manifest.js';
import type { Verdict } from '#contracts/fragment.js';
import type { IntentRecord, JournalRecord } from './journal-record.js';

/** A verdict after which a fragment is not offered again. */
export type FinalVerdict = Exclude<Verdict, 'UNKNOWN_IMAGE'>;

/** What the journal says of one fragment. */
export type FragmentState =
  | { readonly phase: 'INTENT'; readonly intent: IntentRecord }
  | { readonly phase: 'SEALED'; readonly manifest: Manifest; readonly sealedAt: string }
  | {
      readonly phase: 'JUDGED';
      readonly manifest: Manifest;
      readonly sealedAt: string;
      readonly verdict: FinalVerdict;
      readonly catalogEpoch: string;
    };

/**
 * The state of a fragment after one more record about it. A record that fits no state is a damaged
 * journal or a bug: it throws, since to guess is to lose something. Repeats change nothing.
 */
export function applyRecord(
  state: FragmentState | undefined,
  record: JournalRecord,
): FragmentState {
  switch (record.type) {
    case 'INTENT':
      return state ?? { phase: 'INTENT', intent: record };
    case 'SEALED': {
      const { manifest, sealedAt } = record;
      if (state === undefined || state.phase === 'INTENT') {
        return { phase: 'SEALED', manifest, sealedAt };
      }
      if (state.manifest.digest === manifest.digest) return state;
      throw new Error(`fragment ${manifest.fragmentId} was sealed twice with different content`);
    }
    case 'VERDICT': {
      const { fragmentId, verdict, catalogEpoch } = record;
      if (state === undefined || state.phase === 'INTENT') {
        throw new Error(`fragment ${fragmentId} has a verdict but was never sealed`);
      }
      const { manifest, sealedAt } = state;
      // The catalog has forgotten the image: the fragment is offered again.
      if (verdict === 'UNKNOWN_IMAGE') return { phase: 'SEALED', manifest, sealedAt };
      return { phase: 'JUDGED', manifest, sealedAt, verdict, catalogEpoch };
    }
    default:
      return record satisfies never;
  }
}

/** The id of the fragment that a record is about. */
export function fragmentOf(record: JournalRecord): string {
  return record.type === 'SEALED' ? record.manifest.fragmentId : record.fragmentId;
}

/** The fewest records that lead to this state. */
export function recordsFor(state: FragmentState): JournalRecord[] {
  if (state.phase === 'INTENT') return [state.intent];
  const { manifest, sealedAt } = state;
  const sealed: JournalRecord = { type: 'SEALED', manifest, sealedAt };
  if (state.phase === 'SEALED') return [sealed];
  const { verdict, catalogEpoch } = state;
  return [sealed, { type: 'VERDICT', fragmentId: manifest.fragmentId, verdict, catalogEpoch }];
}
