import { describe, expect, it } from '@jest/globals';
import type { Row, TableSpec, Transaction } from '../parts/database.js';

/** A database as anything can offer it, with the tables of `CONTRACT_TABLES`, all of them empty. */
export interface DatabaseUnderTest {
  begin(): Promise<Transaction>;
  /** The connection of a transaction breaks. */
  disconnect(transaction: Transaction): Promise<void>;
  /** It commits, and the connection breaks before the answer is there. */
  commitUnheard(transaction: Transaction): Promise<void>;
  /** Remembers everything; `goBack` puts it back and breaks all connections. */
  mark(): Promise<void>;
  goBack(): Promise<void>;
}

export const CONTRACT_TABLES: readonly TableSpec[] = [{ name: 'thing', unique: ['place'] }];
const T = 'thing';

/** Proves the laws of the database for the simulated one and PostgreSQL. */
export function describeDatabase(name: string, database: () => DatabaseUnderTest): void {
  let tests = 0;
  /** Keys and places are the test's own, so that one database serves all. */
  const fresh = () => {
    tests += 1;
    const prefix = `${String(tests).padStart(4, '0')}-`;
    return {
      ...{ a: `${prefix}a`, b: `${prefix}b`, c: `${prefix}c`, place: `${prefix}place` },
      begin: () => database().begin(),
    };
  };
  const seen = async (key: string): Promise<Row | undefined> => {
    const reader = await database().begin();
    const row = await reader.read(T, key);
    await reader.rollback();
    return row;
  };
  const put = async (key: string, row: Row): Promise<void> => {
    const writer = await database().begin();
    expect(await writer.insert(T, key, row)).toBe(true);
    await writer.commit();
  };
  const tools: Tools = { database, fresh, seen, put };

  describe(`${name} keeps the laws of a database: it`, () => {
    allOrNothing(tools);
    takesTurns(tools);
    uniqueness(tools);
    outages(tools);
  });
}

interface Tools {
  database(): DatabaseUnderTest;
  fresh(): { a: string; b: string; c: string; place: string; begin(): Promise<Transaction> };
  seen(key: string): Promise<Row | undefined>;
  put(key: string, row: Row): Promise<void>;
}

/** Whether a promise is still pending after the database had time for it. */
async function waits(promise: Promise<unknown>): Promise<boolean> {
  const slow = new Promise<'waits'>((resolve) => setTimeout(() => resolve('waits'), 150));
  return (await Promise.race([promise.then(() => 'done'), slow])) === 'waits';
}

function allOrNothing({ fresh, seen, put }: Tools): void {
  it('does all of a transaction at its commit, and nothing that others see before', async () => {
    const { a, b, begin } = fresh();
    const writer = await begin();
    expect(await writer.insert(T, a, { n: 1 })).toBe(true);
    expect(await writer.insert(T, b, { n: 2 })).toBe(true);
    expect(await writer.read(T, a)).toEqual({ n: 1 });
    expect(await seen(a)).toBeUndefined();
    await writer.commit();
    expect(await seen(a)).toEqual({ n: 1 });
    expect(await seen(b)).toEqual({ n: 2 });
  });

  it('undoes what is rolled back', async () => {
    const { a, b, begin } = fresh();
    await put(a, { n: 1 });
    const writer = await begin();
    expect(await writer.update(T, a, { n: 2 })).toBe(true);
    expect(await writer.insert(T, b, {})).toBe(true);
    await writer.rollback();
    expect(await seen(a)).toEqual({ n: 1 });
    expect(await seen(b)).toBeUndefined();
  });

  it('finds rows by their columns, its own changes included, in the order of their keys', async () => {
    const { a, b, c, place, begin } = fresh();
    await put(c, { of: place, n: 3 });
    await put(a, { of: place, n: 1 });
    const writer = await begin();
    await writer.insert(T, b, { of: place, n: 2 });
    await writer.remove(T, c);
    expect(await writer.select(T, { of: place })).toEqual([
      { key: a, row: { of: place, n: 1 } },
      { key: b, row: { of: place, n: 2 } },
    ]);
    expect(await writer.select(T, { of: place, n: 3 })).toEqual([]);
    expect(await writer.update(T, c, {})).toBe(false);
    expect(await writer.remove(T, c)).toBe(false);
    await writer.rollback();
  });

  it('counts on, whatever is rolled back', async () => {
    const { begin } = fresh();
    const one = await begin();
    const first = await one.next('contract');
    await one.rollback();
    const two = await begin();
    expect(await two.next('contract')).toBeGreaterThan(first);
    await two.rollback();
  });
}

function takesTurns({ fresh, seen, put }: Tools): void {
  it('has a second change of a row wait for the first, and lets it see that', async () => {
    const { a, begin } = fresh();
    await put(a, { n: 1 });
    const [first, second] = [await begin(), await begin()];
    await first.update(T, a, { n: 2 });
    const locked = second.lock(T, a, 'update');
    expect(await waits(locked)).toBe(true);
    expect(await seen(a)).toEqual({ n: 1 });
    await first.commit();
    expect(await locked).toEqual({ n: 2 });
    await second.rollback();
  });

  it('lets readers share a lock, and keeps writers out of it', async () => {
    const { a, begin } = fresh();
    await put(a, { n: 1 });
    const [one, two, writer] = [await begin(), await begin(), await begin()];
    expect(await one.lock(T, a, 'share')).toEqual({ n: 1 });
    expect(await two.lock(T, a, 'share')).toEqual({ n: 1 });
    const update = writer.update(T, a, { n: 2 });
    expect(await waits(update)).toBe(true);
    await one.rollback();
    await two.commit();
    expect(await update).toBe(true);
    await writer.commit();
  });

  it('ends one of two transactions that wait for each other', async () => {
    const { a, b, begin } = fresh();
    await put(a, {});
    await put(b, {});
    const [one, two] = [await begin(), await begin()];
    await one.lock(T, a, 'update');
    await two.lock(T, b, 'update');
    const outcomes = await Promise.allSettled([
      one.lock(T, b, 'update').finally(() => one.rollback()),
      two.lock(T, a, 'update').finally(() => two.rollback()),
    ]);
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused).toMatchObject([{ reason: { code: 'deadlock' } }]);
  });

  it('claims the least rows that nobody else has', async () => {
    const { a, b, c, begin } = fresh();
    for (const key of [c, b, a]) await put(key, {});
    const [one, two] = [await begin(), await begin()];
    const others = (await one.claim(T, 1_000)).filter(({ key }) => ![a, b, c].includes(key));
    await one.rollback();
    const first = await begin();
    await first.claim(T, others.length + 2);
    const second = await two.claim(T, 10);
    expect(second.map(({ key }) => key)).toEqual([c]);
    await first.rollback();
    await two.rollback();
  });
}

function uniqueness({ fresh, seen, put }: Tools): void {
  it('puts a key and a unique value in once', async () => {
    const { a, b, place, begin } = fresh();
    await put(a, { place });
    const writer = await begin();
    expect(await writer.insert(T, a, { other: 1 })).toBe(false);
    expect(await writer.insert(T, b, { place })).toBe(false);
    await writer.update(T, a, { place: null });
    expect(await writer.insert(T, b, { place })).toBe(true);
    await writer.commit();
    expect(await seen(b)).toEqual({ place });
    const late = await begin();
    await expect(late.update(T, a, { place })).rejects.toMatchObject({ code: 'unique' });
    await late.rollback();
  });

  it('has a second insert wait for the first, and lets it in only if that one is undone', async () => {
    const { a, b, c, place, begin } = fresh();
    const first = await begin();
    await first.insert(T, a, { place });
    const second = await begin();
    const waiting = second.insert(T, b, { place });
    expect(await waits(waiting)).toBe(true);
    await first.commit();
    expect(await waiting).toBe(false);
    await second.rollback();
    const third = await begin();
    await third.insert(T, c, {});
    const fourth = await begin();
    const again = fourth.insert(T, c, { n: 4 });
    expect(await waits(again)).toBe(true);
    await third.rollback();
    expect(await again).toBe(true);
    await fourth.commit();
    expect(await seen(c)).toEqual({ n: 4 });
  });
}

function outages({ database, fresh, seen, put }: Tools): void {
  it('undoes what was not committed when the connection breaks, and frees its locks', async () => {
    const { a, begin } = fresh();
    await put(a, { n: 1 });
    const [lost, other] = [await begin(), await begin()];
    await lost.update(T, a, { n: 2 });
    const waiting = other.lock(T, a, 'update');
    await database().disconnect(lost);
    expect(await waiting).toEqual({ n: 1 });
    await other.rollback();
    await expect(lost.read(T, a)).rejects.toMatchObject({ code: 'away' });
  });

  it('has done all or nothing where the answer to a commit was not heard', async () => {
    const { a, b, begin } = fresh();
    const lost = await begin();
    await lost.insert(T, a, { n: 1 });
    await lost.insert(T, b, { n: 1 });
    await database().commitUnheard(lost);
    const other = await begin();
    // Waits for the lost one to end, either way.
    const isFree = await other.insert(T, a, { n: 2 });
    expect(await other.read(T, b)).toEqual(isFree ? undefined : { n: 1 });
    await other.rollback();
  });

  it('goes back to exactly what it was, and breaks every connection', async () => {
    const { a, b, begin } = fresh();
    await put(a, { n: 1 });
    const counted = await begin();
    await counted.next('contract');
    await counted.commit();
    await database().mark();
    const writer = await begin();
    await writer.update(T, a, { n: 2 });
    await writer.insert(T, b, {});
    await writer.commit();
    const open = await begin();
    await open.read(T, a);
    await database().goBack();
    await expect(open.read(T, a)).rejects.toMatchObject({ code: 'away' });
    expect(await seen(a)).toEqual({ n: 1 });
    expect(await seen(b)).toBeUndefined();
  });
}
