import type { Manifest } from '#archive/manifest.js';
import type { Verdict } from '#contracts/fragment.js';
import type { IntentRecord, JournalRecord } from './journal-record.js';

/** A verdict after which a fragment is not offered again. */
export type FinalVerdict = Exclude<Verdict, 'UNKNOWN_IMAGE'>;

interface Whole {
  readonly manifest: Manifest;
  readonly sealedAt: string;
}

/** What the journal says of one fragment. */
export type FragmentState =
  | { readonly phase: 'INTENT'; readonly intent: IntentRecord }
  | (Whole & { readonly phase: 'SEALED' })
  | (Whole & {
      readonly phase: 'JUDGED';
      readonly verdict: FinalVerdict;
      readonly catalogEpoch: string;
    })
  /** Its deletion was confirmed; its bytes may still be in their place. */
  | (Whole & { readonly phase: 'CONDEMNED'; readonly tombstoneId: string })
  /** Its bytes are not in their place any more. */
  | (Whole & {
      readonly phase: 'REMOVED';
      readonly tombstoneId: string;
      /** The catalog knows. */
      readonly reported: boolean;
    });

/**
 * The state of a fragment after one more record about it. A record that fits no state is a damaged
 * journal or a bug: it throws, since to guess is to lose something. Repeats change nothing.
 */
export function applyRecord(
  state: FragmentState | undefined,
  record: JournalRecord,
): FragmentState {
  if (record.type === 'INTENT') return state ?? { phase: 'INTENT', intent: record };
  if (record.type === 'SEALED') return applySealed(state, record.manifest, record.sealedAt);
  if (state === undefined || state.phase === 'INTENT') {
    throw new Error(`fragment ${record.fragmentId} has ${record.type} but was never sealed`);
  }
  const whole = { manifest: state.manifest, sealedAt: state.sealedAt };
  switch (record.type) {
    case 'VERDICT': {
      // What was condemned or removed is past every verdict.
      if (state.phase === 'CONDEMNED' || state.phase === 'REMOVED') return state;
      const { verdict, catalogEpoch } = record;
      // The catalog has forgotten the image: the fragment is offered again.
      if (verdict === 'UNKNOWN_IMAGE') return { phase: 'SEALED', ...whole };
      return { phase: 'JUDGED', ...whole, verdict, catalogEpoch };
    }
    case 'CONDEMNED':
      if (state.phase === 'REMOVED') return state;
      return { phase: 'CONDEMNED', ...whole, tombstoneId: record.tombstoneId };
    case 'REMOVED': {
      if (state.phase === 'REMOVED') return state;
      if (state.phase !== 'CONDEMNED' || state.tombstoneId !== record.tombstoneId) {
        throw new Error(`fragment ${record.fragmentId} was removed but not condemned`);
      }
      return { phase: 'REMOVED', ...whole, tombstoneId: record.tombstoneId, reported: false };
    }
    case 'REPORTED':
      return state.phase === 'REMOVED' ? { ...state, reported: true } : state;
    case 'TAKEN_BACK':
      return { phase: 'SEALED', ...whole };
    default:
      return record satisfies never;
  }
}

function applySealed(
  state: FragmentState | undefined,
  manifest: Manifest,
  sealedAt: string,
): FragmentState {
  // Of what was removed, and of which the catalog knows that, nothing was left: it was forgotten. Whoever writes
  // SEALED behind that has found it there again, and it begins anew.
  const isForgotten = state?.phase === 'REMOVED' && state.reported;
  if (state === undefined || state.phase === 'INTENT' || isForgotten) {
    return { phase: 'SEALED', manifest, sealedAt };
  }
  if (state.manifest.digest === manifest.digest) return state;
  throw new Error(`fragment ${manifest.fragmentId} was sealed twice with different content`);
}

/** What names the files of a fragment that was sealed. */
export function nameOf({ manifest }: { readonly manifest: Manifest }): {
  imageId: string;
  copy: number;
  number: number;
  fragmentId: string;
} {
  const { imageId, copy, number, fragmentId } = manifest;
  return { imageId, copy, number, fragmentId };
}

/** The id of the fragment that a record is about. */
export function fragmentOf(record: JournalRecord): string {
  return record.type === 'SEALED' ? record.manifest.fragmentId : record.fragmentId;
}

/** The fewest records that lead to this state. */
export function recordsFor(state: FragmentState): JournalRecord[] {
  if (state.phase === 'INTENT') return [state.intent];
  const { manifest, sealedAt } = state;
  const { fragmentId } = manifest;
  const sealed: JournalRecord = { type: 'SEALED', manifest, sealedAt };
  switch (state.phase) {
    case 'SEALED':
      return [sealed];
    case 'JUDGED': {
      const { verdict, catalogEpoch } = state;
      return [sealed, { type: 'VERDICT', fragmentId, verdict, catalogEpoch }];
    }
    case 'CONDEMNED':
      return [sealed, { type: 'CONDEMNED', fragmentId, tombstoneId: state.tombstoneId }];
    case 'REMOVED': {
      const { tombstoneId } = state;
      return [
        sealed,
        { type: 'CONDEMNED', fragmentId, tombstoneId },
        { type: 'REMOVED', fragmentId, tombstoneId },
        ...(state.reported ? [{ type: 'REPORTED', fragmentId } as const] : []),
      ];
    }
    default:
      return state satisfies never;
  }
}
