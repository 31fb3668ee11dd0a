import type { JournalRecord } from '../../../../apps/media/src/domain/journal-record.js';
import {
  applyRecord,
  fragmentOf,
  type FragmentState,
} from '../../../../apps/media/src/domain/journal-state.js';
import type { FragmentReceipt } from '#contracts/fragment.js';
import type { DiskLink } from './disk-link.js';
import { SimJournal } from './sim-journal.js';

/** What the journal says of each fragment, by the real rules. A change is durable before it counts. */
export class SimLedger {
  private readonly changed = new Set<string>();
  private journal: SimJournal | undefined;

  private constructor(private readonly states: Map<string, FragmentState>) {}

  static async open(disk: DiskLink): Promise<SimLedger> {
    const states = new Map<string, FragmentState>();
    const ledger = new SimLedger(states);
    ledger.journal = await SimJournal.open(disk, (record) => ledger.take(record));
    return ledger;
  }

  /** As long as it is set nothing more is written: the program ends and starts again. */
  get failure(): Error | undefined {
    return this.journal?.failure;
  }

  find(fragmentId: string): FragmentState | undefined {
    return this.states.get(fragmentId);
  }

  all(): [fragmentId: string, state: FragmentState][] {
    return [...this.states];
  }

  /** What has changed since this was asked last. */
  news(): [fragmentId: string, state: FragmentState][] {
    const changed = [...this.changed];
    this.changed.clear();
    return changed.map((id) => [id, this.states.get(id)!]);
  }

  async record(record: JournalRecord): Promise<void> {
    await this.journal!.append(record);
    this.take(record);
  }

  verdict(receipt: FragmentReceipt): Promise<void> {
    const { fragmentId, verdict, catalogEpoch } = receipt;
    return this.record({ type: 'VERDICT', fragmentId, verdict, catalogEpoch });
  }

  private take(record: JournalRecord): void {
    const id = fragmentOf(record);
    this.states.set(id, applyRecord(this.states.get(id), record));
    this.changed.add(id);
  }
}
