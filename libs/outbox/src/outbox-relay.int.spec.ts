import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { fragmentReceiptMessage } from '#contracts/fragment.js';
import { STREAMS } from '#contracts/streams.js';
import { sleep } from '#kernel/backoff.js';
import { SystemClock } from '#kernel/clock.js';
import { Unavailable } from '#kernel/errors.js';
import { uuidOf } from '#kernel/ids.js';
import { Nats } from '#messaging/connection.js';
import { Publisher } from '#messaging/publisher.js';
import { Topology } from '#messaging/topology.js';
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
  const until = async (reached: () => Promise<boolean>) => {
    while (!(await reached())) await sleep(10);
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

  it('stays while the broker takes only a part of it, and then goes out', async () => {
    const unit = makeUnit();
    const publisher = new Publisher(nats);
    let refusals = 0;
    const moody = {
      publish: async (message: Parameters<Publisher['publish']>[0]) => {
        if (message.subject.endsWith(receipt(7).fragmentId) && refusals < 2) {
          refusals += 1;
          throw new Unavailable('it is full', 25);
        }
        await publisher.publish(message);
      },
    } as Publisher;
    const relay = new OutboxRelay(database, moody, unit);
    await commit(unit, receipt(6), receipt(7));
    relay.start();
    await until(async () => refusals === 1);
    expect(await left()).toBe(2);
    await until(async () => (await left()) === 0);
    await relay.stop();
    expect(heard).toContainEqual(receipt(7));
  });
});
