import type { CommittedRow } from './unit-of-work.js';

/** Characters of payloads that are kept at most. */
const TEXT_MAX = 8 * 1024 * 1024;

/**
 * Outbox rows that this process has committed and not published yet, in their order, so that its relay
 * need not read them back. When they become too many it forgets them all: the table has them.
 */
export class OwnRows {
  private rows: CommittedRow[] = [];
  private size = 0;

  get isEmpty(): boolean {
    return this.rows.length === 0;
  }

  /** False when they had to be forgotten. */
  add(rows: readonly CommittedRow[]): boolean {
    this.rows.push(...rows);
    for (const { payload } of rows) this.size += payload.length;
    if (this.size <= TEXT_MAX) return true;
    this.rows = [];
    this.size = 0;
    return false;
  }

  first(limit: number): readonly CommittedRow[] {
    return this.rows.slice(0, limit);
  }

  /** They are published, by whichever way. */
  forget(ids: ReadonlySet<string>): void {
    this.rows = this.rows.filter(({ id }) => !ids.has(id));
    this.size = this.rows.reduce((sum, { payload }) => sum + payload.length, 0);
  }
}
