import {
  DatabaseError,
  type Keyed,
  type Row,
  type TableSpec,
  type Transaction,
} from './database.js';
import { RowLocks } from './row-locks.js';

type Table = Map<string, Row>;

/** What the database held at a moment. */
export interface Snapshot {
  readonly tables: ReadonlyMap<string, Table>;
  readonly counters: ReadonlyMap<string, number>;
}

/** The database in memory. Tables are declared; rows are JSON. */
export class SimDatabase {
  /** Nobody can begin or go on. */
  isAway = false;
  /** Rises whenever it went back to an older state; `timeline` only where it shows that it did. */
  generation = 1;
  timeline = 1;
  /** Rises whenever it was started anew. */
  starts = 1;
  /** Rises with every commit that changed something. */
  version = 0;
  readonly locks = new RowLocks<SimTransaction>();
  private tables: Map<string, Table>;
  private counters = new Map<string, number>();
  private readonly open = new Set<SimTransaction>();
  private readonly specs: ReadonlyMap<string, TableSpec>;

  constructor(specs: readonly TableSpec[]) {
    this.specs = new Map(specs.map((spec) => [spec.name, spec]));
    this.tables = new Map(specs.map(({ name }) => [name, new Map()]));
  }

  /** `owner` is for whoever ends its connections. */
  begin(owner: unknown): SimTransaction {
    if (this.isAway) throw new DatabaseError('away');
    const transaction = new SimTransaction(this, owner);
    this.open.add(transaction);
    return transaction;
  }

  /** The connections of an owner break: what they had begun is undone. */
  disconnect(owner: unknown): void {
    for (const each of this.open) if (each.owner === owner) this.end(each, 'away');
  }

  /** All connections break. */
  disconnectAll(): void {
    for (const each of this.open) this.end(each, 'away');
  }

  snapshot(): Snapshot {
    const tables = new Map([...this.tables].map(([name, table]) => [name, new Map(table)]));
    return { tables, counters: new Map(this.counters) };
  }

  /** Everything is as it was then; all connections break. */
  restore({ tables, counters }: Snapshot, how: { readonly silently: boolean }): void {
    this.disconnectAll();
    this.tables = new Map([...tables].map(([name, table]) => [name, new Map(table)]));
    this.counters = new Map(counters);
    this.generation += 1;
    this.starts += 1;
    if (!how.silently) this.timeline += 1;
    this.version += 1;
  }

  /** What is committed. */
  committed(table: string): ReadonlyMap<string, Row> {
    return this.table(table);
  }

  uniqueOf(table: string): readonly string[] {
    return this.specs.get(table)!.unique ?? [];
  }

  next(counter: string): number {
    const value = (this.counters.get(counter) ?? 0) + 1;
    this.counters.set(counter, value);
    return value;
  }

  end(transaction: SimTransaction, how: 'committed' | 'rolled back' | 'away'): void {
    if (!this.open.delete(transaction)) return;
    if (how === 'committed') {
      for (const { table, key, row } of transaction.changes()) {
        if (row) this.table(table).set(key, row);
        else this.table(table).delete(key);
        this.version += 1;
      }
    }
    transaction.isOver = true;
    this.locks.release(transaction);
  }

  private table(name: string): Table {
    const table = this.tables.get(name);
    if (!table) throw new Error(`There is no table ${name}.`);
    return table;
  }
}

/** One transaction of the simulated database. What it changed is kept apart until it commits. */
export class SimTransaction implements Transaction {
  isOver = false;
  private readonly changed = new Map<string, Map<string, Row | null>>();

  constructor(
    private readonly database: SimDatabase,
    readonly owner: unknown,
  ) {}

  async read(table: string, key: string): Promise<Row | undefined> {
    this.mustBeOpen();
    return this.visible(table, key);
  }

  async select(table: string, where: Row): Promise<Keyed[]> {
    this.mustBeOpen();
    return this.matching(table, where);
  }

  async lock(table: string, key: string, mode: 'share' | 'update'): Promise<Row | undefined> {
    this.mustBeOpen();
    await this.take(rowName(table, key), mode);
    return this.visible(table, key);
  }

  async claim(table: string, limit: number): Promise<Keyed[]> {
    this.mustBeOpen();
    const { locks } = this.database;
    const free = this.matching(table, {}).filter(
      ({ key }) => !locks.isBlocked(rowName(table, key), this, 'update'),
    );
    const claimed = free.slice(0, limit);
    for (const { key } of claimed) void locks.take(rowName(table, key), this, 'update');
    return claimed;
  }

  async insert(table: string, key: string, row: Row): Promise<boolean> {
    this.mustBeOpen();
    await this.take(rowName(table, key), 'update');
    for (const value of this.uniqueValues(table, row)) await this.take(value, 'update');
    if (this.visible(table, key) || this.rival(table, key, row)) return false;
    this.put(table, key, row);
    return true;
  }

  async update(table: string, key: string, row: Row): Promise<boolean> {
    this.mustBeOpen();
    await this.take(rowName(table, key), 'update');
    const before = this.visible(table, key);
    if (!before) return false;
    for (const value of this.uniqueValues(table, row)) await this.take(value, 'update');
    for (const value of this.uniqueValues(table, before)) await this.take(value, 'update');
    if (this.rival(table, key, row)) throw new DatabaseError('unique');
    this.put(table, key, row);
    return true;
  }

  async remove(table: string, key: string): Promise<boolean> {
    this.mustBeOpen();
    await this.take(rowName(table, key), 'update');
    const before = this.visible(table, key);
    if (!before) return false;
    for (const value of this.uniqueValues(table, before)) await this.take(value, 'update');
    this.put(table, key, null);
    return true;
  }

  async next(counter: string): Promise<number> {
    this.mustBeOpen();
    return this.database.next(counter);
  }

  async commit(): Promise<void> {
    this.mustBeOpen();
    this.database.end(this, 'committed');
  }

  async rollback(): Promise<void> {
    this.database.end(this, 'rolled back');
  }

  *changes(): Iterable<{ table: string; key: string; row: Row | null }> {
    for (const [table, rows] of this.changed) {
      for (const [key, row] of rows) yield { table, key, row };
    }
  }

  private async take(name: string, mode: 'share' | 'update'): Promise<void> {
    try {
      await this.database.locks.take(name, this, mode);
    } catch (error) {
      // As in PostgreSQL, a statement that fails spoils its transaction.
      this.database.end(this, 'rolled back');
      throw error;
    }
    this.mustBeOpen();
  }

  private visible(table: string, key: string): Row | undefined {
    const own = this.changed.get(table)?.get(key);
    return own === undefined ? this.database.committed(table).get(key) : (own ?? undefined);
  }

  private matching(table: string, where: Row): Keyed[] {
    const wanted = Object.entries(where);
    const own = this.changed.get(table);
    const found: Keyed[] = [];
    const consider = (key: string, row: Row | null): void => {
      if (row && wanted.every(([column, value]) => row[column] === value)) found.push({ key, row });
    };
    for (const [key, row] of this.database.committed(table)) {
      if (!own?.has(key)) consider(key, row);
    }
    for (const [key, row] of own ?? []) consider(key, row);
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Another row with one of the row's unique values. */
  private rival(table: string, key: string, row: Row): Keyed | undefined {
    const columns = this.database.uniqueOf(table).filter((column) => isValue(row[column]));
    for (const column of columns) {
      const others = this.matching(table, { [column]: row[column] });
      const rival = others.find((other) => other.key !== key);
      if (rival) return rival;
    }
    return undefined;
  }

  private uniqueValues(table: string, row: Row): string[] {
    return this.database
      .uniqueOf(table)
      .filter((column) => isValue(row[column]))
      .map((column) => `${table}.${column} = ${String(row[column])}`);
  }

  private put(table: string, key: string, row: Row | null): void {
    const rows = this.changed.get(table) ?? new Map<string, Row | null>();
    rows.set(key, row);
    this.changed.set(table, rows);
  }

  private mustBeOpen(): void {
    if (this.isOver || this.database.isAway) throw new DatabaseError('away');
  }
}

function isValue(value: unknown): boolean {
  return value !== null && value !== undefined;
}

function rowName(table: string, key: string): string {
  return `${table} ${key}`;
}
