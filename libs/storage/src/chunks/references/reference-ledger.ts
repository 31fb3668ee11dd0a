import { VolumeUnusable } from '../../errors.js';
import { Journal } from '../../journal/journal.js';
import { putAside } from '../put-aside.js';
import { referenceRecord, type ReferenceRecord } from './reference-record.js';
import { ReferenceState } from './reference-state.js';

/**
 * Which recipes a volume keeps chunks for: a journal. It is the truth of what counts; the counts in
 * the index are sums that follow it. A recipe leaves it only when a trash is emptied.
 */
export class ReferenceLedger {
  private constructor(
    private readonly journal: Journal<ReferenceRecord>,
    readonly state: ReferenceState,
  ) {}

  /** Whoever opens it has the volume to himself. Throws `VolumeUnusable` if it is damaged. */
  static async open(folder: string): Promise<ReferenceLedger> {
    const state = new ReferenceState();
    const journal = await Journal.open<ReferenceRecord>({
      folder,
      parse: (value) => referenceRecord.parse(value),
      onRecord: (record) => state.apply(record),
    });
    await journal.compactIfDue(new ReferenceState());
    return new ReferenceLedger(journal, state);
  }

  /**
   * Like `open`; a damaged ledger is put aside (as `references.damaged-<n>`, for a person to look at)
   * and an empty one begun, which has to be made anew.
   */
  static async openOrPutAside(folder: string): Promise<ReferenceLedger> {
    try {
      return await ReferenceLedger.open(folder);
    } catch (error) {
      if (!(error instanceof VolumeUnusable)) throw error;
      await putAside(folder);
      return await ReferenceLedger.open(folder);
    }
  }

  async add(...records: readonly ReferenceRecord[]): Promise<void> {
    await this.journal.append(...records);
    for (const record of records) this.state.apply(record);
  }

  /** Set when it could not be written. */
  get failure(): Error | undefined {
    return this.journal.failure;
  }

  close(): Promise<void> {
    return this.journal.close();
  }
}
