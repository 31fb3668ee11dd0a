import { existsSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Client } from 'pg';

import { startNats, type TestNats } from './nats.js';
import { startPostgres, type TestPostgres } from './postgres.js';

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as unknown[];
  } finally {
    await client.end();
  }
}

describe('a nats-server for tests', () => {
  let nats: TestNats;
  beforeAll(async () => {
    nats = await startNats();
  });
  afterAll(() => nats.stop());

  it('keeps acknowledged messages through a crash', async () => {
    const connection = await nats.connect();
    await (await jetstreamManager(connection)).streams.add({ name: 'T', subjects: ['t.>'] });
    expect((await jetstream(connection).publish('t.1', 'kept')).seq).toBe(1);
    await connection.close();
    await nats.kill();
    await nats.restart();
    const manager = await jetstreamManager(await nats.connect());
    expect((await manager.streams.getMessage('T', { seq: 1 }))?.string()).toBe('kept');
  });

  it('lets nobody in without a key', async () => {
    const { connect } = await import('@nats-io/transport-node');
    await expect(connect({ servers: nats.url, reconnect: false })).rejects.toThrow(/authoriz/i);
  });
});

describe('users of nats-server', () => {
  it('may do what their permissions say, and nothing where they say nothing', async () => {
    const nats = await startNats({
      users: [
        { name: 'speaker', permissions: { publish: ['a.>'], subscribe: [] }, responds: false },
        { name: 'hearer', permissions: { publish: [], subscribe: ['a.>'] }, responds: true },
      ],
    });
    try {
      const speaker = await nats.connect('speaker');
      const hearer = await nats.connect('hearer');
      const heard: string[] = [];
      hearer.subscribe('a.*', { callback: (_error, message) => void heard.push(message.subject) });
      await hearer.flush();
      const refusals: unknown[] = [];
      void (async () => {
        for await (const status of hearer.status()) refusals.push(status.type);
      })();
      hearer.publish('a.2');
      await hearer.flush();
      speaker.publish('a.1');
      await speaker.flush();
      await hearer.flush();
      expect(heard).toEqual(['a.1']);
      expect(refusals).toContain('error');
    } finally {
      await nats.stop();
    }
  });
});

describe('a PostgreSQL for tests', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  it('keeps what was committed through a crash', async () => {
    await query(postgres.url, 'create table t (n int)');
    await query(postgres.url, 'insert into t values (7)');
    await postgres.crash();
    await postgres.restart();
    expect(await query(postgres.url, 'select n from t')).toEqual([{ n: 7 }]);
  });

  it('runs with the settings that are shipped', async () => {
    const settings =
      "select name, setting from pg_settings where name in ('fsync', 'jit') order by 1";
    expect(await query(postgres.url, settings)).toEqual([
      { name: 'fsync', setting: 'on' },
      { name: 'jit', setting: 'off' },
    ]);
  });

  it('lets nobody in with a wrong password', async () => {
    const url = postgres.url.replace(/:[^:@/]+@/, ':wrong@');
    await expect(query(url, 'select 1')).rejects.toThrow(/password authentication failed/);
  });
});

describe('servers for tests', () => {
  it('leave nothing behind', async () => {
    const [nats, postgres] = await Promise.all([startNats(), startPostgres()]);
    await Promise.all([nats.stop(), postgres.stop()]);
    expect(existsSync(nats.logFile)).toBe(false);
    expect(existsSync(postgres.logFile)).toBe(false);
  });
});
