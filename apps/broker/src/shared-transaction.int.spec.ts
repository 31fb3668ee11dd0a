import { beforeEach, describe, expect, it } from '@jest/globals';
import { SystemClock } from '#kernel/clock.js';
import { PermanentError } from '#kernel/errors.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { useDatabase } from '#service/testing/use-database.js';
import { brokerSchema } from './persistence/broker-schema.js';
import { SharedTransaction } from './shared-transaction.js';

const database = await useDatabase(brokerSchema, 4);

describe('changes that share a transaction', () => {
  let shared: SharedTransaction;

  const replica = () => {
    const unitOfWork = new UnitOfWork(database, new SystemClock(), 'broker');
    return new SharedTransaction(unitOfWork, 'spec');
  };
  const declare =
    (name: string, error?: Error) =>
    async ({ db }: Work) => {
      if (error instanceof PermanentError) throw error;
      await db.query(`INSERT INTO storage_pool VALUES ($1, 'primary', '')`, [name]);
      if (error !== undefined) throw error;
      return name;
    };
  const declared = async () => {
    const rows: { name: string }[] = await database.query('SELECT name FROM storage_pool');
    return rows.map(({ name }) => name).sort();
  };

  beforeEach(async () => {
    await database.query('TRUNCATE storage_pool');
    shared = replica();
  });

  /** The first one runs alone, what comes meanwhile together. */
  const all = (...changes: ((work: Work) => Promise<string>)[]) =>
    Promise.allSettled([shared.run(declare('first')), ...changes.map((one) => shared.run(one))]);

  it('have one that is refused fail alone', async () => {
    const refused = new PermanentError(20, 'no');
    const ends = await all(declare('a'), declare('b', refused), declare('c'));
    expect(ends.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
    ]);
    expect(ends[2]).toMatchObject({ reason: refused });
    expect(await declared()).toEqual(['a', 'c', 'first']);
  });

  it('fail together when one fails in any other way, and nothing of them stays', async () => {
    const ends = await all(declare('a'), declare('b', new Error('lost')), declare('c'));
    expect(ends.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'rejected', 'rejected', 'rejected'],
    ]);
    expect(await declared()).toEqual(['first']);
    expect(await shared.run(declare('later'))).toBe('later');
  });

  it('never run at the same time, in whatever replica', async () => {
    let running = 0;
    let most = 0;
    const change = async ({ db }: Work) => {
      running += 1;
      most = Math.max(most, running);
      await db.query('SELECT pg_sleep(0.01)');
      running -= 1;
    };
    const other = replica();
    await Promise.all([1, 2, 3, 4].map((n) => (n % 2 === 0 ? shared : other).run(change)));
    expect(most).toBe(1);
  });
});
