import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import type { JobView } from '#contracts/job.js';
import { CONSUMERS, STREAMS } from '#contracts/streams.js';
import { sleep } from '#kernel/backoff.js';
import { Nats } from '#messaging/connection.js';
import { Topology } from '#messaging/topology.js';
import { startService, type RunningService } from '#service/run-service.js';
import { startNats, type TestNats } from '../../../test/support/nats.js';
import { startPostgres, type TestPostgres } from '../../../test/support/postgres.js';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { jobsDefinition } from './jobs.definition.js';
import { ResourcesOnTheWire } from './testing/resources-on-the-wire.js';

describe('the job manager', () => {
  let server: TestNats;
  let postgres: TestPostgres;
  let service: RunningService;
  let plain: NatsConnection;
  let others: ResourcesOnTheWire;
  let environment: Record<string, string>;
  const events: { type: string; subject: string }[] = [];

  beforeAll(async () => {
    Logger.overrideLogger(false);
    [server, postgres] = await Promise.all([startNats(), startPostgres()]);
    const { url, user, seed } = server.login();
    const seedFile = join(await temporaryFolder(), 'test.nk');
    writeFileSync(seedFile, seed);
    const nats = await Nats.connect({ url, user, seed, clientName: 'topology' });
    await new Topology(nats).ensureStreams(STREAMS);
    await new Topology(nats).ensureConsumers(CONSUMERS);
    await nats.close();
    environment = {
      HOLDFAST_NATS_URL: url,
      HOLDFAST_NATS_USER: user,
      HOLDFAST_NATS_SEED_FILE: seedFile,
      HOLDFAST_DATABASE_URL: postgres.url,
      HOLDFAST_SILENCE_MS_MAX: '2000',
    };
    plain = await server.connect();
    others = new ResourcesOnTheWire(plain);
    plain.subscribe('hf.evt.v1.job.>', {
      callback: (_, msg) => void events.push(msg.json<{ type: string; subject: string }>()),
    });
    service = await startService(jobsDefinition, environment);
  });

  afterAll(async () => {
    await service?.stop();
    await server?.stop();
    await postgres?.stop();
    Logger.overrideLogger(['error', 'warn', 'log']);
  });

  beforeEach(() => {
    Object.assign(others, { brokerAway: false, busy: false, complete: true });
    others.asked.length = 0;
    others.tasks.length = 0;
  });

  const ask = async <T>(endpoint: string, body: object): Promise<T> =>
    (await plain.request(`hf.svc.v1.jobs.${endpoint}`, JSON.stringify(body))).json<T>();
  const submit = async (more: object = {}) =>
    (await ask<{ job: number }>('backup', { client: 'web1', selections: ['/etc'], ...more })).job;
  const view = async (job: number) => (await ask<{ job: JobView }>('get', { job })).job;
  const until = async (job: number, reached: (view: JobView) => boolean) => {
    for (;;) {
      const now = await view(job);
      if (reached(now)) return now;
      await sleep(20);
    }
  };
  const running = (job: number) => until(job, ({ operation }) => operation === 'moving data');
  const done = (job: number) => until(job, ({ state }) => state === 'done');
  const report = (job: number, from: string, status: number) =>
    ask<{ goOn: boolean }>('report', {
      ...{ job, attempt: 1, from, instance: 'x' },
      lines: [
        { at: new Date().toISOString(), process: from, pid: 1, severity: 'info', text: 'hello' },
      ],
      result: { status, message: '', fragments: 1, files: 2, bytes: 3 },
    });

  it('takes a backup from its request to DONE and tells the world', async () => {
    const job = await submit();
    await running(job);
    while (others.tasks.length < 2) await sleep(10);
    expect(others.tasks.map(({ type }) => type).sort()).toEqual(['backup', 'write']);
    await report(job, 'media', 0);
    await report(job, 'agent', 0);
    expect(await done(job)).toMatchObject({ status: 0, client: 'web1', kind: 'full' });
    expect(others.count('broker.release')).toBe(1);
    const told = events.filter(({ subject }) => subject === String(job)).map(({ type }) => type);
    expect(told).toEqual(
      expect.arrayContaining(['queued', 'active', 'done'].map((s) => `io.holdfast.job.${s}.v1`)),
    );
    const { log } = await ask<{ log: { text: string }[] }>('get', { job });
    expect(log.map(({ text }) => text).join('\n')).toContain(
      'granted resource StorageUnit=default',
    );
  });

  it('makes no second job of a request that is sent twice', async () => {
    const requestId = '0190a0a0-0000-7000-8000-0000000000aa';
    expect(await submit({ requestId })).toBe(await submit({ requestId }));
  });

  it('refuses at once what can never run, and says why', async () => {
    const unknown = await ask('backup', { client: 'nobody', selections: ['/etc'] });
    expect(unknown).toMatchObject({ error: { status: 243 } });
    const asleep = await ask('backup', { client: 'asleep', selections: ['/etc'] });
    expect(asleep).toMatchObject({ error: { status: 1000 } });
    const relative = await ask('backup', { client: 'web1', selections: ['etc'] });
    expect(relative).toMatchObject({ error: { status: 20, field: 'selections[0]' } });
    expect(await ask('get', { job: 999_999 })).toMatchObject({ error: { status: 805 } });
  });

  it('ends a job that the broker refuses', async () => {
    expect(await done(await submit({ storage: 'nowhere' }))).toMatchObject({ status: 213 });
  });

  it('says what a queued job waits for, and goes on when it is told', async () => {
    others.busy = true;
    const job = await submit();
    await until(job, ({ operation }) => operation.includes('maximum of 1 job'));
    expect((await view(job)).state).toBe('queued');
    others.busy = false;
    await running(job);
  });

  it('waits out a broker that is away', async () => {
    others.brokerAway = false;
    const job = await submit();
    others.brokerAway = true;
    await sleep(300);
    others.brokerAway = false;
    await running(job);
  });

  it('ends a job whose agent has fallen silent, and has its image abandoned', async () => {
    const job = await submit();
    await running(job);
    const media = { job, attempt: 1, from: 'media', instance: 'm1' };
    const alive = setInterval(() => void ask('report', media), 200);
    expect((await done(job)).status).toBe(49);
    clearInterval(alive);
    const abandoned = others.asked.filter(({ endpoint }) => endpoint === 'catalog.image-abandon');
    expect(abandoned.filter(({ request }) => request['job'] === job)).toHaveLength(1);
    expect(await report(job, 'agent', 0)).toEqual({ goOn: false });
  });

  it('goes on from what was saved after a restart in the middle', async () => {
    others.complete = false;
    const job = await submit();
    await running(job);
    await report(job, 'media', 0);
    await report(job, 'agent', 0);
    await until(job, ({ operation }) => operation.includes('index of fragment'));
    await service.stop();
    others.complete = true;
    service = await startService(jobsDefinition, environment);
    expect(await done(job)).toMatchObject({ status: 0 });
    expect(others.count('catalog.image-begin')).toBe(1);
  });

  it('cancels a job, tells its participants, and gives back what it held', async () => {
    const job = await submit();
    await running(job);
    await ask('cancel', { job });
    expect(await done(job)).toMatchObject({ status: 150 });
    await sleep(200);
    expect(others.tasks.filter(({ type }) => type === 'cancel')).toHaveLength(2);
  });
});
