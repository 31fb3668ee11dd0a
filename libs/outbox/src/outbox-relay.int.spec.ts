import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { CloudEvent } from '#contracts/event.js';
import { fragmentReceiptMessage } from '#contracts/fragment.js';
import { jobProgressed, type JobView } from '#contracts/job.js';
import { eventStream, STREAMS } from '#contracts/streams.js';
import { sleep } from '#kernel/backoff.js';
import { SystemClock } from '#kernel/clock.js';
import { Unavailable } from '#kernel/errors.js';
import { uuidOf } from '#kernel/ids.js';
import { Nats } from '#messaging/connection.js';
import { Publisher, type Outgoing } from '#messaging/publisher.js';
import { Topology } from '#messaging/topology.js';
import { until } from '../../../test/support/until.js';
import { startNats, type TestNats } from '../../../test/support/nats.js';
import { startPostgres, type TestPostgres } from '../../../test/support/postgres.js';
import { OutboxRelay } from './outbox-relay.js';
import { OUTBOX_TABLES } from './tables.js';
import { UnitOfWork } from './unit-of-work.js';

const receipt = (n: number, note = '') => ({
  fragmentId: uuidOf(String(n)),
  mediaId: 'm1',
  verdict: 'COMMITTED' as const,
  catalogEpoch: `epoch "one" \\ ${note}`,
});

describe('what is committed to the outbox', () => {
  let server: TestNats;
  let postgres: TestPostgres;
  let database: DataSource;
  let nats: Nats;
  const heard: unknown[] = [];

  beforeAll(async () => {
    Logger.overrideLogger(false);
    [server, postgres] = await Promise.all([startNats(), startPostgres()]);
    database = new DataSource({ type: 'postgres', url: postgres.url });
    await database.initialize();
    await database.query(OUTBOX_TABLES);
    nats = await Nats.connect({ ...server.login(), clientName: 'relay' });
    await new Topology(nats).ensureStreams(STREAMS);
    nats.connection.subscribe('hf.int.v1.frag.receipt.>', {
      callback: (_, message) => void heard.push(message.json()),
    });
  });

  afterAll(async () => {
    await nats.close();
    await database.destroy();
    await Promise.all([server.stop(), postgres.stop()]);
    Logger.overrideLogger(['error', 'warn', 'log']);
  });

  const makeUnit = () => new UnitOfWork(database, new SystemClock(), 'catalog');
  const commit = (unit: UnitOfWork, ...sent: ReturnType<typeof receipt>[]) =>
    unit.run(async (work) => {
      for (const one of sent) work.send(fragmentReceiptMessage, ['m1', one.fragmentId], one);
    });
  const left = async () =>
    Number((await database.query<{ count: string }[]>('SELECT count(*) FROM outbox'))[0]!.count);
  /** What another process has committed a minute ago, and then was no more. */
  const leave = (from: number, to = from) =>
    database.query(
      `INSERT INTO outbox (message_id, subject, content_type, payload, created_at)
       SELECT 'other ' || n, 'hf.int.v1.frag.receipt.m1.' || n, 'application/json',
         json_build_object('other', n), now() - interval '1 minute'
       FROM generate_series($1::integer, $2::integer) AS n`,
      [from, to],
    );
  /** A publisher that does something before each message. */
  const publisherThat = (does: (message: Outgoing) => Promise<void>) => {
    const publisher = new Publisher(nats);
    const publish = async (message: Outgoing) => {
      await does(message);
      await publisher.publish(message);
    };
    return { publish } as Publisher;
  };

  it('goes out as it was, in order, and is gone then', async () => {
    const unit = makeUnit();
    const relay = new OutboxRelay(database, new Publisher(nats), unit);
    relay.start();
    await commit(unit, receipt(1), receipt(2));
    await commit(unit, receipt(3));
    await until(async () => (await left()) === 0 && heard.length === 3);
    await relay.stop();
    expect(heard.splice(0)).toEqual([receipt(1), receipt(2), receipt(3)]);
  });

  it('is kept nowhere where it is only told, and goes to who listens', async () => {
    const unit = makeUnit();
    const relay = new OutboxRelay(database, new Publisher(nats), unit);
    const told: string[] = [];
    const listener = nats.connection.subscribe('hf.evt.v1.>', {
      callback: (_, message) => void told.push(message.json<CloudEvent>().type),
    });
    const tell = (fails?: Error) =>
      unit.run((work) => {
        work.tell(jobProgressed, '7', {} as JobView);
        return fails ? Promise.reject(fails) : Promise.resolve();
      });
    await expect(tell(new Error('rolled back'))).rejects.toThrow('rolled back');
    await tell();
    expect(await left()).toBe(0);
    await until(() => told.length > 0);
    const manager = await nats.manager();
    const { state } = await manager.streams.info(eventStream.name);
    expect([told, state.messages]).toEqual([['io.holdfast.job.progressed.v1'], 0]);
    listener.unsubscribe();
    await relay.stop();
  });

  it('goes out after a crash, from the table, and together with what is new', async () => {
    // Two thousand and more characters: the table keeps it out of line.
    await commit(makeUnit(), receipt(4, 'long '.repeat(2_000)));
    await sleep(600); // As long as a process takes to start, at the least.
    const unit = makeUnit();
    const relay = new OutboxRelay(database, new Publisher(nats), unit);
    await commit(unit, receipt(5));
    relay.start();
    await until(async () => (await left()) === 0 && heard.length === 2);
    await relay.stop();
    expect(heard.splice(0)).toEqual([receipt(4, 'long '.repeat(2_000)), receipt(5)]);
  });

  it('goes out from a table that an earlier version made', async () => {
    await database.query('ALTER TABLE outbox ALTER COLUMN payload TYPE jsonb USING payload::jsonb');
    await leave(1);
    const unit = makeUnit();
    const relay = new OutboxRelay(database, new Publisher(nats), unit);
    await commit(unit, receipt(11));
    relay.start();
    await until(async () => (await left()) === 0 && heard.length === 2);
    await relay.stop();
    expect(heard.splice(0)).toEqual([{ other: 1 }, receipt(11)]);
    await database.query('ALTER TABLE outbox ALTER COLUMN payload TYPE text');
  });

  it('is never what the broker cannot take: then nothing of its transaction happens', async () => {
    const unit = makeUnit();
    const relay = new OutboxRelay(database, new Publisher(nats), unit);
    relay.start();
    const tooLarge = receipt(8, 'x'.repeat(1_040_000));
    await expect(commit(unit, receipt(9), tooLarge)).rejects.toThrow(/does not fit/);
    await commit(unit, receipt(10, 'x'.repeat(50_000)));
    await until(async () => (await left()) === 0 && heard.length === 1);
    await relay.stop();
    expect(heard.splice(0)).toMatchObject([{ fragmentId: receipt(10).fragmentId }]);
  });

  it('stays while the broker takes only a part of it, and then goes out', async () => {
    const unit = makeUnit();
    let refusals = 0;
    let isFull = true;
    const moody = publisherThat(async ({ subject }) => {
      if (!subject.endsWith(receipt(7).fragmentId) || !isFull) return;
      refusals += 1;
      throw new Unavailable('it is full', 25);
    });
    const relay = new OutboxRelay(database, moody, unit);
    await commit(unit, receipt(6), receipt(7));
    relay.start();
    await until(() => refusals > 1);
    expect(await left()).toBe(2);
    isFull = false;
    await until(async () => (await left()) === 0);
    await relay.stop();
    expect(heard).toContainEqual(receipt(7));
  });

  it('goes out though another process left it, and this one is never done with its own', async () => {
    const unit = makeUnit();
    let own = 100;
    let isBusy = true;
    // There is another one before this one is out: its own rows never come to an end.
    const busy = publisherThat(async ({ subject }) => {
      if (isBusy && !subject.endsWith('.1')) await commit(unit, receipt((own += 1)));
    });
    const relay = new OutboxRelay(database, busy, unit);
    relay.start();
    await commit(unit, receipt(own));
    await until(() => own > 110);
    await leave(1);
    const before = own;
    const isHeard = () => heard.some((one) => (one as { other?: number }).other === 1);
    try {
      await until(isHeard, { what: 'what the other one has left to be heard' });
    } finally {
      isBusy = false;
    }
    await until(async () => (await left()) === 0);
    await relay.stop();
    expect(own).toBeGreaterThan(before);
  });

  it('goes out without pauses when another process left much', async () => {
    const relay = new OutboxRelay(database, new Publisher(nats), makeUnit());
    relay.start();
    await sleep(200);
    heard.splice(0);
    await leave(1_001, 2_000);
    const begin = performance.now();
    await until(async () => (await left()) === 0);
    const ms = performance.now() - begin;
    await relay.stop();
    expect(heard).toEqual(Array.from({ length: 1_000 }, (_, n) => ({ other: 1_001 + n })));
    // A pause of a second after each 64 would be 15 of them.
    expect(ms).toBeLessThan(15_000);
  });

  it('is not taken for what had its number before the database was put back', async () => {
    const unit = makeUnit();
    let isPutBack = false;
    // Its own row is gone, and its number is another's, by the time that it is out.
    const publisher = publisherThat(async ({ id, subject }) => {
      if (!subject.endsWith(receipt(8).fragmentId)) return;
      const [rows]: [{ id: string }[], number] = await database.query(
        'DELETE FROM outbox WHERE message_id = $1 RETURNING id',
        [id],
      );
      await database.query(
        `INSERT INTO outbox (id, message_id, subject, content_type, payload) OVERRIDING SYSTEM VALUE
         VALUES ($1, 'later', 'hf.int.v1.frag.receipt.m1.later', 'application/json', '{"later":1}')`,
        [rows[0]!.id],
      );
      isPutBack = true;
    });
    const relay = new OutboxRelay(database, publisher, unit);
    relay.start();
    await sleep(200);
    await commit(unit, receipt(8));
    await until(async () => isPutBack && (await left()) === 0);
    await sleep(200);
    await relay.stop();
    expect(heard).toContainEqual({ later: 1 });
  });

  it('goes out once though it had to wait, and is old by then', async () => {
    const unit = makeUnit();
    const published: string[] = [];
    let open: () => void = () => undefined;
    const isOpen = new Promise<void>((resolve) => void (open = resolve));
    const slow = publisherThat(async ({ id }) => {
      await isOpen;
      published.push(id);
    });
    const relay = new OutboxRelay(database, slow, unit);
    relay.start();
    await sleep(200);
    await commit(unit, ...Array.from({ length: 400 }, (_, n) => receipt(1_000 + n)));
    await database.query(`UPDATE outbox SET created_at = now() - interval '1 minute'`);
    await sleep(1_100);
    open();
    await until(async () => (await left()) === 0);
    await relay.stop();
    expect(new Set(published).size).toBe(400);
    expect(published).toHaveLength(400);
  });
});
