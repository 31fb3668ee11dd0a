/** A row: JSON, found by its key within a table. */
export type Row = Readonly<Record<string, unknown>>;

export interface Keyed {
  readonly key: string;
  readonly row: Row;
}

/** A table and the columns whose values, where they are not null, no two rows share. */
export interface TableSpec {
  readonly name: string;
  readonly unique?: readonly string[];
}

/**
 * `unique`: another row has that value. `deadlock`: two transactions wait for each other; this one was
 * chosen to end. `away`: the connection is gone, and with it whatever was not committed. `unknown`: the
 * connection broke during the commit; it happened or it did not.
 */
export type DatabaseErrorCode = 'unique' | 'deadlock' | 'away' | 'unknown';

export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';

  constructor(readonly code: DatabaseErrorCode) {
    super(`the database says: ${code}`);
  }
}

/**
 * A transaction, as services use PostgreSQL at its usual level (read committed). The laws, for the
 * simulated one and PostgreSQL (`contracts/describe-database.ts`):
 *
 * - All of it happens at `commit`, or nothing. Until then nobody else sees any of it; it sees itself.
 * - Every statement sees what is committed at that moment.
 * - A row that was changed, or locked with `update`, is the transaction's own until it ends: whoever
 *   wants to change it or lock it waits, then sees what became of it. Several may hold `share` locks.
 *   Reading waits for nobody.
 * - `insert` says false where the key or a unique value is taken; where another transaction is about to
 *   take it, it waits for how that ends.
 * - `claim` locks up to `limit` rows, the least keys first, and skips those that others hold.
 */
export interface Transaction {
  read(table: string, key: string): Promise<Row | undefined>;
  /** Rows whose columns have these values, by key. */
  select(table: string, where: Row): Promise<Keyed[]>;
  lock(table: string, key: string, mode: 'share' | 'update'): Promise<Row | undefined>;
  claim(table: string, limit: number): Promise<Keyed[]>;
  insert(table: string, key: string, row: Row): Promise<boolean>;
  /** Replaces a row; false where there is none. */
  update(table: string, key: string, row: Row): Promise<boolean>;
  remove(table: string, key: string): Promise<boolean>;
  /** The next number of a counter that no rollback sets back. */
  next(counter: string): Promise<number>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}
