import type { Manifest } from '#archive/manifest.js';
import type { FragmentReceipt } from '#contracts/fragment.js';
import type { IntentRecord, JournalRecord } from './journal-record.js';

/** What happens to the fragments of a volume, as records of its journal. */
export abstract class FragmentRecords {
  intent(intent: Omit<IntentRecord, 'type'>): Promise<void> {
    return this.record({ type: 'INTENT', ...intent });
  }

  /** The details of the image stay in the manifest's file: a record has to be short. */
  sealed(sealed: Manifest, sealedAt: string): Promise<void> {
    const { image: _image, ...manifest } = sealed;
    return this.record({ type: 'SEALED', manifest, sealedAt });
  }

  verdicts(receipts: readonly FragmentReceipt[]): Promise<void> {
    return this.record(
      ...receipts.map(
        ({ fragmentId, verdict, catalogEpoch }) =>
          ({ type: 'VERDICT', fragmentId, verdict, catalogEpoch }) as const,
      ),
    );
  }

  condemned(fragmentId: string, tombstoneId: string): Promise<void> {
    return this.record({ type: 'CONDEMNED', fragmentId, tombstoneId });
  }

  removed(fragmentId: string, tombstoneId: string): Promise<void> {
    return this.record({ type: 'REMOVED', fragmentId, tombstoneId });
  }

  reported(fragmentId: string): Promise<void> {
    return this.record({ type: 'REPORTED', fragmentId });
  }

  takenBack(fragmentId: string): Promise<void> {
    return this.record({ type: 'TAKEN_BACK', fragmentId });
  }

  /** Resolves when they are durable and count, all of them. */
  protected abstract record(...records: readonly JournalRecord[]): Promise<void>;
}
