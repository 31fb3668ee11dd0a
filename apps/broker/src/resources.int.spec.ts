import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../../../test/support/until.js';
import { RunningBroker } from './testing/running-broker.js';

interface Entry {
  readonly job: number;
  readonly wait: string;
  readonly position: number;
}

interface Held {
  readonly allocationId: string;
  readonly job: number;
}

describe('the resources of the broker', () => {
  let broker: RunningBroker;

  beforeAll(async () => {
    broker = await RunningBroker.start({ replicas: 1, leaseSeconds: 600 });
    await broker.mediaBeat('m1');
    await broker.mediaBeat('m2', ['main', 'far']);
    for (const id of ['web1', 'web2']) {
      await broker.ask('heartbeat', { role: 'agent', id, host: id, version: '0.1.0' });
    }
    await putUnit('a', { jobsMax: 1 });
    await putUnit('b', { jobsMax: 1, mediaId: 'm2' });
  });

  afterAll(() => broker?.stop());

  const putUnit = (name: string, options: Record<string, unknown> = {}) =>
    broker.ask('unit-put', { unit: { name, mediaId: 'm1', pool: 'main', ...options } });

  async function queueOf(filter: Record<string, unknown> = {}): Promise<Entry[]> {
    return (await broker.ask('queue', filter)).body['entries'] as Entry[];
  }

  async function heldBy(filter: Record<string, unknown>): Promise<Held[]> {
    return (await broker.ask('allocations', filter)).body['allocations'] as Held[];
  }

  it('gives a group its units, by its rule, and tells what waits in pages', async () => {
    const group = { name: 'any', units: ['a', 'b'], selection: 'round-robin' };
    expect((await broker.ask('group-put', { group })).body).toEqual({ group });
    expect((await broker.ask('groups', {})).body).toEqual({ groups: [group] });
    for (const [job, unit] of [
      [1, 'a'],
      [2, 'b'],
    ] as const) {
      const { body } = await broker.write(job, { unit: 'any', policy: 'p' });
      expect(body).toMatchObject({ state: 'granted', allocation: { unit, policy: 'p' } });
    }
    await broker.release(2);
    // Chosen longest ago is a, which is busy; what was chosen is remembered.
    expect((await broker.write(3, { unit: 'any' })).body).toMatchObject({
      allocation: { unit: 'b' },
    });
    for (const job of [4, 5, 6]) await broker.write(job, { unit: 'any', policy: 'p' });
    await broker.ask('priority', { job: 6, priority: 9 });
    const { body } = await broker.ask('queue', { limit: 2 });
    expect(body).toMatchObject({
      entries: [
        { ...{ job: 6, position: 1, priority: 9, unit: 'any', policy: 'p' }, wait: 'unit-busy' },
        { job: 4, position: 2, since: expect.any(String) },
      ],
      queued: 3,
    });
    const rest = await broker.ask('queue', { limit: 2, after: body['next'] });
    expect(rest.body).toMatchObject({ entries: [{ job: 5, position: 3 }], next: null });
    expect(await queueOf({ reason: 'client-limit' })).toEqual([]);
    expect(await queueOf({ reason: 'unit-busy', policy: 'p' })).toHaveLength(3);
    await broker.release(1);
    await until(() => broker.heardGrantOf(6), { what: 'the higher priority goes first' });
    for (const job of [3, 4, 5, 6]) await broker.release(job);
  });

  it('holds a client and a policy to their limits, and lets waiting jobs go when they are raised', async () => {
    await broker.ask('limit-put', { client: 'web1', jobsMax: 1 });
    await broker.write(10, { unit: 'a' });
    expect((await broker.write(11, { unit: 'b' })).body).toMatchObject({
      wait: 'client-limit',
      reason: 'client web1 runs its maximum of 1 backup',
    });
    expect((await broker.ask('limits', {})).body).toEqual({
      defaultJobsMax: 4,
      limits: [{ client: 'web1', jobsMax: 1, own: true, jobsActive: 1 }],
    });
    const limit = { policy: 'p', policyJobsMax: 1, client: 'web2' };
    await broker.write(12, { unit: 'b', ...limit });
    expect((await broker.write(13, { ...limit })).body).toMatchObject({ wait: 'policy-limit' });
    expect((await broker.ask('limit-put', { client: 'web1', jobsMax: null })).body).toEqual({
      client: 'web1',
      jobsMax: 4,
    });
    // Its unit is busy by now, with a job of another client.
    expect((await broker.write(11, { unit: 'b' })).body).toMatchObject({ wait: 'unit-busy' });
    await broker.release(12);
    await until(() => broker.heardGrantOf(11) && broker.heardGrantOf(13), {
      what: 'both have gone',
    });
    for (const job of [10, 11, 13]) await broker.release(job);
    expect((await broker.write(14, { ...limit, policyJobsMax: 0 })).error).toMatchObject({
      status: 20,
      field: 'policyJobsMax',
    });
  });

  it('keeps the place of a client for who has waited longest, and says so to the others', async () => {
    await broker.ask('limit-put', { client: 'web1', jobsMax: 1 });
    await broker.write(15, { unit: 'b', client: 'web2' });
    expect((await broker.write(16, { unit: 'b' })).body).toMatchObject({ wait: 'unit-busy' });
    await broker.inDatabase(
      `UPDATE broker.waiting SET queued_at = queued_at - interval '1 hour' WHERE job = $1`,
      [16],
    );
    // Its unit is free, and so is its client; but job 16 needs the client, too.
    for (let asked = 0; asked < 2; asked += 1) {
      expect((await broker.write(17)).body).toMatchObject({ state: 'queued', wait: 'turn' });
    }
    expect(await queueOf()).toMatchObject([
      { job: 16, wait: 'unit-busy' },
      { job: 17, wait: 'turn' },
    ]);
    await broker.release(15);
    await until(() => broker.heardGrantOf(16), { what: 'it has its turn' });
    expect((await broker.write(17)).body).toMatchObject({ wait: 'client-limit' });
    await broker.release(16);
    await until(() => broker.heardGrantOf(17), { what: 'then the other one' });
    await broker.release(17);
    await broker.ask('limit-put', { client: 'web1', jobsMax: null });
  });

  it('stops at the high water mark, and goes on below the low one', async () => {
    await broker.mediaBeat('m1', ['main'], 99);
    await until(() => broker.heard('unit.full.a', { full: true }) !== undefined, {
      what: 'it is full',
    });
    expect((await broker.write(20, { unit: 'a' })).body).toMatchObject({ wait: 'unit-full' });
    await broker.mediaBeat('m1', ['main'], 85);
    expect(await queueOf({ unit: 'a' })).toMatchObject([{ job: 20, wait: 'unit-full' }]);
    await broker.mediaBeat('m1', ['main'], 79);
    await until(() => broker.heardGrantOf(20), { what: 'there is room again' });
    await until(() => broker.heard('unit.full.a', { full: false }) !== undefined, {
      what: 'that was announced, too',
    });
    await broker.release(20);
  });

  it('counts what running jobs expect to write as used', async () => {
    await broker.mediaBeat('m1', ['main'], 50);
    const estimatedBytes = 2 ** 40;
    await broker.write(30, { estimatedBytes });
    expect((await broker.write(31, { unit: 'a', estimatedBytes })).body).toMatchObject({
      wait: 'unit-full',
      reason: expect.stringContaining('promised to running jobs'),
    });
    expect((await broker.write(32, { estimatedBytes: 2 ** 43 })).error).toMatchObject({
      status: 2030,
      field: 'estimatedBytes',
    });
    await broker.release(30);
    await until(() => broker.heardGrantOf(31), { what: 'the room was given back' });
    await broker.release(31);
  });

  it('drains a server: what runs goes on, nothing new is written, and it is still read', async () => {
    await broker.mediaBeat('m2', ['main', 'far']);
    await broker.write(40, { unit: 'b' });
    expect((await broker.ask('drain', { media: 'm2' })).body).toEqual({
      ...{ drained: true, writing: 1, reading: 0 },
    });
    await until(() => broker.heard('media.drained.m2', { drained: true }) !== undefined, {
      what: 'it was announced',
    });
    await broker.release(40);
    expect((await broker.write(41, { unit: 'b' })).body).toMatchObject({ wait: 'unit-drained' });
    const read = { purpose: 'read', job: 42, attempt: 1, client: 'web1', media: ['m2'] };
    expect((await broker.ask('allocate', read)).body).toMatchObject({ state: 'granted' });
    await broker.mediaBeat('m2', ['main', 'far']);
    expect(await queueOf()).toMatchObject([{ job: 41, wait: 'unit-drained' }]);
    expect((await broker.ask('drain', { media: 'm2', drain: false })).body).toEqual({
      ...{ drained: false, writing: 0, reading: 1 },
    });
    await until(() => broker.heardGrantOf(41), { what: 'it takes jobs again' });
    for (const job of [41, 42]) await broker.release(job);
    await broker.ask('drain', { unit: 'a' });
    expect((await broker.write(43, { unit: 'a' })).body).toMatchObject({ wait: 'unit-drained' });
    await broker.ask('drain', { unit: 'a', drain: false });
    await until(() => broker.heardGrantOf(43), { what: 'the unit takes jobs again' });
    await broker.release(43);
    expect((await broker.ask('drain', { media: 'm9' })).error).toMatchObject({ status: 2027 });
    expect((await broker.ask('drain', {})).error).toMatchObject({ status: 20 });
  });

  it('takes an allocation from whoever has it, for an operator, and says what becomes of the job', async () => {
    await broker.write(50, { unit: 'a', policy: 'p' });
    await broker.write(51, { unit: 'a' });
    for (const filter of [{ unit: 'a' }, { media: 'm1' }, { pool: 'main' }, { policy: 'p' }]) {
      expect(await heldBy(filter)).toMatchObject([{ job: 50 }]);
    }
    expect(await heldBy({ client: 'web2' })).toEqual([]);
    const [{ allocationId }] = (await heldBy({ unit: 'a' })) as [Held];
    const { body } = await broker.ask('release', { allocationId });
    expect(body).toMatchObject({
      released: true,
      note: expect.stringMatching(/job 50, attempt 1/),
    });
    await until(() => broker.heardGrantOf(51), { what: 'the next one has its place' });
    expect((await broker.ask('release', { allocationId })).error).toMatchObject({ status: 2023 });
    expect((await broker.ask('release', { job: 1 })).error).toMatchObject({ status: 20 });
    // Its holder lives and asks again: it waits like everybody else.
    expect((await broker.write(50, { unit: 'a' })).body).toMatchObject({ state: 'queued' });
    for (const job of [50, 51]) await broker.release(job);
  });

  it('removes what nothing uses', async () => {
    expect((await broker.ask('unit-delete', { name: 'a' })).error).toMatchObject({ status: 228 });
    await broker.write(60, { unit: 'a' });
    await broker.write(61, { unit: 'any' });
    await broker.write(62, { unit: 'any' });
    expect((await broker.ask('group-delete', { name: 'any' })).error?.message).toMatch(
      /1 job waits for it/,
    );
    for (const job of [60, 61, 62]) await broker.release(job);
    expect((await broker.ask('group-delete', { name: 'any' })).body).toEqual({});
    expect((await broker.ask('unit-delete', { name: 'a' })).body).toEqual({});
    expect((await broker.write(63, { unit: 'a' })).error).toMatchObject({ status: 219 });
  });

  it('does not remove the only place or source of what waits, which would wait for ever', async () => {
    const down = `UPDATE broker.media_server SET last_seen_at = $1 WHERE media_id = 'm3'`;
    await broker.mediaBeat('m3', ['vault']);
    await putUnit('v', { mediaId: 'm3', pool: 'vault' });
    await broker.inDatabase(down, [new Date(Date.now() - 3_600_000)]);
    const common = { attempt: 1, client: 'web1' };
    const copy = { ...common, purpose: 'duplicate', job: 70, pool: 'vault', sources: ['m1'] };
    expect((await broker.ask('allocate', copy)).body).toMatchObject({ wait: 'media-down' });
    expect((await broker.ask('unit-delete', { name: 'v' })).error).toMatchObject({
      status: 228,
      message: expect.stringMatching(/1 job waits for it/),
    });
    await broker.release(70);
    expect((await broker.ask('unit-delete', { name: 'v' })).body).toEqual({});
    const read = { ...common, purpose: 'read', job: 71, media: ['m1', 'm3'] };
    await broker.ask('allocate', { ...read, anyOf: [['m3'], ['m1', 'm3']] });
    expect((await broker.ask('forget', { media: 'm3' })).error).toMatchObject({
      status: 228,
      message: expect.stringMatching(/1 job waits for it/),
    });
    await broker.release(71);
    expect((await broker.ask('forget', { media: 'm3' })).body).toEqual({});
  });

  it('knows pools that were declared, and those that a volume names', async () => {
    const pool = { name: 'vault', class: 'copy', description: 'off site' };
    await broker.ask('pool-put', { pool });
    const { body } = await broker.ask('pools', {});
    expect(body['pools']).toMatchObject([
      { name: 'far', class: 'primary', declared: false, volumes: 1, units: [] },
      { name: 'main', class: 'primary', declared: false, volumes: 2, units: ['b', 'default'] },
      { ...pool, declared: true, volumes: 0, totalBytes: 0 },
    ]);
    expect((await broker.ask('pool-delete', { name: 'main' })).error).toMatchObject({
      status: 228,
    });
    expect((await broker.ask('pool-delete', { name: 'vault' })).body).toEqual({});
    expect((await broker.ask('pool-delete', { name: 'vault' })).error).toMatchObject({
      status: 227,
    });
  });

  it('announces when a media server goes down and comes up, without being asked', async () => {
    const longAgo = new Date(Date.now() - 3_600_000);
    await broker.inDatabase(
      `UPDATE broker.media_server SET last_seen_at = $1 WHERE media_id = 'm2'`,
      [longAgo],
    );
    const down = () => broker.heard('media.down.m2', { lastSeenAt: longAgo.toISOString() });
    await until(() => down() !== undefined, { what: 'it is down' });
    const ups = () => broker.events.filter(({ subject }) => subject === 'hf.evt.v1.media.up.m2');
    expect(ups()).toHaveLength(1);
    await broker.mediaBeat('m2', ['main', 'far']);
    await until(() => ups().length === 2, { what: 'it is up again' });
  });

  it('has seen hosts when they were last heard, also where a clock was ahead before', async () => {
    const nextYear = new Date(Date.now() + 365 * 86_400_000);
    for (const table of ['media_server', 'client']) {
      await broker.inDatabase(`UPDATE broker.${table} SET last_seen_at = $1`, [nextYear]);
    }
    await broker.mediaBeat('m1');
    await broker.ask('heartbeat', { role: 'agent', id: 'web1', host: 'web1', version: '0.1.0' });
    const seen = async (endpoint: string, key: string) => {
      const { body } = await broker.ask(endpoint, {});
      const hosts = body[endpoint] as Record<string, string>[];
      return Date.parse(hosts.find((host) => Object.values(host).includes(key))!['lastSeenAt']!);
    };
    expect(await seen('servers', 'm1')).toBeLessThan(Date.now() + 1_000);
    expect(await seen('clients', 'web1')).toBeLessThan(Date.now() + 1_000);
  });
});
