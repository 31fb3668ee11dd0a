import { Journal, type Condenser } from '#storage/journal/journal.js';
import { FragmentRecords } from '../domain/fragment-records.js';
import { journalRecord, type JournalRecord } from '../domain/journal-record.js';
import {
  applyRecord,
  fragmentOf,
  recordsFor,
  type FragmentState,
} from '../domain/journal-state.js';

/**
 * What one volume's journal says: the state of every fragment that was begun on it and is not
 * forgotten. Each change is durable before it counts.
 */
export class Ledger extends FragmentRecords {
  private changes = 0;

  private constructor(
    private readonly journal: Journal<JournalRecord>,
    private readonly states: Map<string, FragmentState>,
  ) {
    super();
  }

  /** Replays the journal in `folder`. Throws `VolumeUnusable` if it is damaged or taken. */
  static async open(folder: string): Promise<Ledger> {
    const fold = new Fold();
    const journal = await Journal.open<JournalRecord>({
      folder,
      parse: (value) => journalRecord.parse(value),
      onRecord: (record) => fold.apply(record),
    });
    return new Ledger(journal, fold.states);
  }

  find(fragmentId: string): FragmentState | undefined {
    return this.states.get(fragmentId);
  }

  /**
   * Drops a fragment of which nothing is left: at once here, and in the journal when it is condensed. Until
   * then the next open finds it again, and whoever opens the volume has it forgotten once more.
   */
  forget(fragmentId: string): void {
    if (this.states.delete(fragmentId)) this.changes += 1;
  }

  /** Boils the journal down to what is not forgotten, where that is due. For whoever has just opened it. */
  condense(): Promise<void> {
    return this.journal.compactIfDue(new Fold((fragmentId) => this.states.has(fragmentId)));
  }

  /** Another number whenever it knows of more fragments, or of fewer. */
  get membership(): number {
    return this.changes;
  }

  /** Fragments that it knows. */
  get size(): number {
    return this.states.size;
  }

  all(): Iterable<[fragmentId: string, state: FragmentState]> {
    return this.states.entries();
  }

  /** Set when the journal could not be written: nothing more is accepted until it is opened again. */
  get failure(): Error | undefined {
    return this.journal.failure;
  }

  close(): Promise<void> {
    return this.journal.close();
  }

  protected async record(...records: readonly JournalRecord[]): Promise<void> {
    // What fits no state is a bug, and must not stand in the journal: it could not be replayed.
    for (const record of records) applyRecord(this.states.get(fragmentOf(record)), record);
    await this.journal.append(...records);
    for (const record of records) {
      const id = fragmentOf(record);
      const known = this.states.get(id);
      if (!known) this.changes += 1;
      this.states.set(id, applyRecord(known, record));
    }
  }
}

class Fold implements Condenser<JournalRecord> {
  readonly states = new Map<string, FragmentState>();

  constructor(private readonly counts: (fragmentId: string) => boolean = () => true) {}

  apply(record: JournalRecord): void {
    const id = fragmentOf(record);
    this.states.set(id, applyRecord(this.states.get(id), record));
  }

  *records(): Iterable<JournalRecord> {
    for (const [fragmentId, state] of this.states) {
      if (this.counts(fragmentId)) yield* recordsFor(state);
    }
  }
}
