import type { FragmentName } from '../../fragment-name.js';
import type { Condenser } from '../../journal/journal.js';
import type { ReferenceRecord } from './reference-record.js';

/** A recipe whose chunks count, or counted until its trash was emptied. */
export interface Reference extends Pick<FragmentName, 'fragmentId' | 'number'> {
  readonly imageId?: string | undefined;
  readonly copy?: number | undefined;
  readonly shown: boolean;
  /** Set when it is being released. */
  readonly tombstoneId?: string;
}

/** What the records of a ledger come to. Repeating one changes nothing. */
export class ReferenceState implements Condenser<ReferenceRecord> {
  private readonly byFragment = new Map<string, Reference>();
  begun = false;
  orphansKept = false;

  get(fragmentId: string): Reference | undefined {
    return this.byFragment.get(fragmentId);
  }

  /** False for a fragment whose chunks do not count, as far as it is known which do. */
  mayHold(fragmentId: string): boolean {
    return this.byFragment.has(fragmentId) || !this.begun || this.orphansKept;
  }

  all(): Reference[] {
    return [...this.byFragment.values()];
  }

  apply(record: ReferenceRecord): void {
    switch (record.type) {
      case 'BEGUN':
        this.begun = true;
        return;
      case 'HELD': {
        const { type: _, ...rest } = record;
        const { tombstoneId: _released, ...before } = this.byFragment.get(record.fragmentId) ?? {};
        this.byFragment.set(record.fragmentId, { shown: false, ...before, ...rest });
        return;
      }
      case 'SHOWN':
        this.update(record.fragmentId, { shown: true });
        return;
      case 'RELEASED':
        this.update(record.fragmentId, { tombstoneId: record.tombstoneId });
        return;
      case 'LOWERED':
        this.byFragment.delete(record.fragmentId);
        return;
      case 'ORPHANS_KEPT':
        this.orphansKept = true;
        return;
      case 'ORPHANS_GRANTED':
        this.orphansKept = false;
        return;
      default:
        record satisfies never;
    }
  }

  *records(): Iterable<ReferenceRecord> {
    if (this.orphansKept) yield { type: 'ORPHANS_KEPT' };
    for (const { shown, tombstoneId, ...held } of this.byFragment.values()) {
      yield { type: 'HELD', ...held };
      const { fragmentId } = held;
      if (shown) yield { type: 'SHOWN', fragmentId };
      if (tombstoneId !== undefined) yield { type: 'RELEASED', fragmentId, tombstoneId };
    }
    if (this.begun) yield { type: 'BEGUN' };
  }

  private update(fragmentId: string, change: Partial<Reference>): void {
    const before = this.byFragment.get(fragmentId);
    if (before) this.byFragment.set(fragmentId, { ...before, ...change });
  }
}
