import { FragmentRecords } from '../../../../apps/media/src/domain/fragment-records.js';
import type { JournalRecord } from '../../../../apps/media/src/domain/journal-record.js';
import {
  applyRecord,
  fragmentOf,
  type FragmentState,
} from '../../../../apps/media/src/domain/journal-state.js';
import type { World } from '../../kernel/world.js';
import type { DiskLink } from './disk-link.js';
import { SimJournal } from './sim-journal.js';

const NOTHING: [string, FragmentState][] = [];

/** `Ledger` over a simulated journal: what it says of each fragment, by the real rules. */
export class SimLedger extends FragmentRecords {
  private readonly changed = new Set<string>();
  private journal: SimJournal | undefined;
  membership = 0;

  private constructor(
    private readonly states: Map<string, FragmentState>,
    private readonly world: World,
  ) {
    super();
  }

  static async open(disk: DiskLink): Promise<SimLedger> {
    const states = new Map<string, FragmentState>();
    const ledger = new SimLedger(states, disk.life.world);
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

  get size(): number {
    return this.states.size;
  }

  all(): [fragmentId: string, state: FragmentState][] {
    return [...this.states];
  }

  forget(fragmentId: string): void {
    if (!this.states.delete(fragmentId)) return;
    this.membership += 1;
    this.world.meet('journal forgets');
  }

  /** What has changed since this was asked last. */
  news(): [fragmentId: string, state: FragmentState][] {
    if (this.changed.size === 0) return NOTHING;
    const changed = [...this.changed];
    this.changed.clear();
    return changed.flatMap((id) => {
      const state = this.states.get(id);
      return state === undefined ? [] : [[id, state] as [string, FragmentState]];
    });
  }

  protected async record(...records: readonly JournalRecord[]): Promise<void> {
    await this.journal!.append(...records);
    for (const record of records) {
      this.world.meet(`journal ${record.type}`);
      this.take(record);
    }
  }

  private take(record: JournalRecord): void {
    const id = fragmentOf(record);
    if (!this.states.has(id)) this.membership += 1;
    this.states.set(id, applyRecord(this.states.get(id), record));
    this.changed.add(id);
  }
}
