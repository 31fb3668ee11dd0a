import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../test/support/until.js';
import { RunningBroker } from './testing/running-broker.js';

interface Held {
  readonly job: number;
}

/** Longer than all of this: what a test holds is taken from it only where it says so. */
const LEASE_SECONDS = 600;

describe('the broker', () => {
  let broker: RunningBroker;

  beforeAll(async () => {
    // Two replicas: requests go to either.
    broker = await RunningBroker.start({ replicas: 2, leaseSeconds: LEASE_SECONDS });
  });

  afterAll(() => broker?.stop());

  let mediaLives = false;
  beforeEach(async () => {
    if (mediaLives) await mediaBeat('m1');
  });

  const ask = (endpoint: string, request: unknown) => broker.ask(endpoint, request);
  const mediaBeat = (id: string, pools?: string[]) => broker.mediaBeat(id, pools);
  const write = (job: number, options?: Record<string, unknown>) => broker.write(job, options);
  const release = (job: number, attempt?: number) => broker.release(job, attempt);
  const heardGrantOf = (job: number) => broker.heardGrantOf(job);

  it('refuses what can never be granted before there is anything', async () => {
    expect((await write(1)).error).toMatchObject({ status: 213 });
    expect((await ask('client', { client: 'web1' })).error).toMatchObject({ status: 243 });
    expect((await ask('units', {})).body).toEqual({ units: [] });
  });

  it('needs no configuration on one machine: the first media server gets a unit', async () => {
    mediaLives = true;
    await mediaBeat('m1');
    const { body } = await ask('units', '');
    expect(body).toEqual({
      units: [
        {
          name: 'default',
          mediaId: 'm1',
          pool: 'main',
          jobsMax: 4,
          fragmentBytesMax: 1024 ** 3,
          highWaterPercent: 98,
          lowWaterPercent: 80,
          onDemandOnly: false,
          maxStreamsPerDrive: 1,
          drained: false,
          full: false,
          jobsActive: 0,
        },
      ],
    });
  });

  it('shows media servers with the free space of their volumes, and clients', async () => {
    await ask('heartbeat', { role: 'agent', id: 'web1', host: 'web1.local', version: '0.1.0' });
    expect((await ask('servers', {})).body).toMatchObject({
      servers: [
        { mediaId: 'm1', state: 'up', volumes: [{ freeBytes: 2 ** 41, totalBytes: 2 ** 42 }] },
      ],
    });
    expect((await ask('client', { client: 'web1' })).body).toMatchObject({ state: 'up' });
    expect((await ask('clients', {})).body).toMatchObject({
      clients: [{ client: 'web1', host: 'web1.local', state: 'up' }],
    });
  });

  it('names what exists when it refuses', async () => {
    expect((await write(1, { unit: 'tape' })).error).toMatchObject({
      status: 219,
      message: 'There is no storage unit "tape". Storage units that exist: default.',
    });
    expect((await write(1, { client: 'web9' })).error).toMatchObject({
      status: 243,
      message: expect.stringContaining('web1'),
    });
    const read = { purpose: 'read', job: 1, attempt: 1, client: 'web1', media: ['m1', 'm9'] };
    expect((await ask('allocate', read)).error).toMatchObject({ status: 2027 });
    expect(
      (await ask('unit-put', { unit: { name: 'u', mediaId: 'm9', pool: 'p' } })).error,
    ).toMatchObject({ status: 2027 });
    const wrongPool = { name: 'u', mediaId: 'm1', pool: 'tape' };
    expect((await ask('unit-put', { unit: wrongPool })).error).toMatchObject({
      status: 20,
      field: 'unit.pool',
    });
  });

  it('grants once, however often it is asked', async () => {
    const [first, second] = await Promise.all([write(10), write(10)]);
    expect(first.body).toMatchObject({
      state: 'granted',
      allocation: {
        job: 10,
        unit: 'default',
        pool: 'main',
        fragmentBytesMax: 1024 ** 3,
        media: [{ mediaId: 'm1', address: { host: '127.0.0.1', port: 4_000 } }],
      },
    });
    const ids = [first, second].map(
      ({ body }) => (body['allocation'] as { allocationId: string }).allocationId,
    );
    expect(ids[0]).toBe(ids[1]);
    expect((await release(10)).body).toEqual({ released: true });
    expect((await release(10)).body).toEqual({ released: false });
    expect(heardGrantOf(10)).toBe(false);
  });

  it('lets a refusal harm nobody who asks at the same moment', async () => {
    const asked = [11, 12, 13, 14].map((job) => write(job, job % 2 === 0 ? { unit: 'tape' } : {}));
    const replies = await Promise.all(asked);
    expect(replies.map(({ body, error }) => error?.status ?? body['state'])).toEqual([
      ...['granted', 219],
      ...['granted', 219],
    ]);
    const { body } = await ask('allocations', {});
    expect((body['allocations'] as Held[]).map(({ job }) => job).sort()).toEqual([11, 13]);
    await Promise.all([release(11), release(13)]);
  });

  it('never exceeds a maximum under a rush at both replicas, and queues the rest in words', async () => {
    const jobs = Array.from({ length: 12 }, (_, index) => 20 + index);
    const replies = await Promise.all(jobs.map((job) => write(job)));
    const granted = replies.filter(({ body }) => body['state'] === 'granted');
    expect(granted).toHaveLength(4);
    const reason = 'storage unit default runs its maximum of 4 jobs';
    expect(replies.find(({ body }) => body['state'] === 'queued')?.body).toEqual({
      state: 'queued',
      ...{ reason, wait: 'unit-busy' },
    });
    const { body } = await ask('allocations', {});
    expect(body['allocations']).toHaveLength(4);
    expect(body['queue']).toHaveLength(8);
    expect(body).toMatchObject({ queued: 8, queue: [{ reason }, {}, {}, {}, {}, {}, {}, {}] });
    // A higher priority goes first; a cancelled one leaves the queue.
    expect((await write(99, { priority: 5 })).body).toMatchObject({ state: 'queued' });
    const next = (body['queue'] as { job: number }[])[0]!.job;
    const running = (body['allocations'] as { job: number }[]).map(({ job }) => job);
    await release(running[0]!);
    await until(() => heardGrantOf(99), { what: 'the grant of the urgent job is announced' });
    expect(heardGrantOf(next)).toBe(false);
    expect((await release(next)).body).toEqual({ released: true });
    for (let left = 12; left > 0;) {
      const { allocations } = (await ask('allocations', {})).body as { allocations: Held[] };
      for (const { job } of allocations) await release(job);
      left = allocations.length;
    }
    await until(() => jobs.filter(heardGrantOf).length === 7, { what: 'the rest had their turn' });
    const nothing = { allocations: [], isCut: false, queue: [], queued: 0 };
    expect((await ask('allocations', {})).body).toEqual(nothing);
  });

  it('lets waiting jobs go when a unit is changed', async () => {
    await ask('unit-put', { unit: { name: 'narrow', mediaId: 'm1', pool: 'main', jobsMax: 1 } });
    await write(40, { unit: 'narrow' });
    expect((await write(41, { unit: 'narrow' })).body).toEqual({
      state: 'queued',
      reason: 'storage unit narrow runs its maximum of 1 job',
      wait: 'unit-busy',
    });
    await ask('unit-put', { unit: { name: 'narrow', mediaId: 'm1', pool: 'main', jobsMax: 2 } });
    await until(() => heardGrantOf(41), { what: 'the unit was widened' });
    await Promise.all([release(40), release(41)]);
  });

  it('has a new attempt take the place of the last one', async () => {
    await write(50, { unit: 'narrow' });
    await write(51, { unit: 'narrow' });
    expect((await write(51, { unit: 'narrow', attempt: 2 })).body).toMatchObject({
      state: 'granted',
      allocation: { attempt: 2 },
    });
    expect((await write(51, { unit: 'narrow' })).error).toMatchObject({
      status: 20,
      message: 'attempt: attempt 1 of job 51 is over; attempt 2 has taken its place.',
    });
    await Promise.all([release(50), release(51, 2)]);
  });

  it('releases a lease that nobody renews, and keeps one that is asked for again', async () => {
    for (const job of [60, 61, 62]) await write(job, { unit: 'narrow' });
    // As if most of it were over.
    const end = (job: number, after: string) =>
      broker.inDatabase(
        `UPDATE broker.allocation SET lease_until = now() + $2::interval WHERE job = $1`,
        [job, after],
      );
    await end(60, '1 minute');
    const { body: renewed } = await write(60, { unit: 'narrow' });
    const { leaseUntil } = renewed['allocation'] as { leaseUntil: string };
    expect(Date.parse(leaseUntil)).toBeGreaterThan(Date.now() + (LEASE_SECONDS / 2) * 1_000);
    await end(61, '1 second');
    await until(() => heardGrantOf(62), { what: 'job 61 lost its lease to job 62' });
    const { body } = await ask('allocations', {});
    const held = (body['allocations'] as { job: number }[]).map(({ job }) => job);
    expect(held.sort()).toEqual([60, 62]);
    await Promise.all([60, 62].map((job) => release(job)));
  });

  it('queues for a media server that is down, and grants when it comes back', async () => {
    const before = new Date(Date.now() - 3_600_000);
    await broker.inDatabase('UPDATE broker.media_server SET last_seen_at = $1', [before]);
    expect((await write(70)).body).toEqual({
      state: 'queued',
      reason: `media server m1 is down (last seen ${before.toISOString()})`,
      wait: 'media-down',
    });
    const read = { purpose: 'read', job: 71, attempt: 1, client: 'web1', media: ['m1'] };
    expect((await ask('allocate', read)).body).toMatchObject({ state: 'queued' });
    expect((await ask('servers', {})).body).toMatchObject({ servers: [{ state: 'down' }] });
    await mediaBeat('m1');
    await until(() => heardGrantOf(70) && heardGrantOf(71), {
      what: 'both got what they waited for',
    });
    const grant = broker.heard('allocation.granted.71')?.data;
    expect(grant).toMatchObject({
      purpose: 'read',
      unit: null,
      pool: null,
      fragmentBytesMax: null,
    });
    await Promise.all([release(70), release(71)]);
  });

  const duplicate = (job: number, options: Record<string, unknown> = {}) =>
    ask('allocate', {
      ...{ purpose: 'duplicate', job, attempt: 1, client: 'gone', pool: 'far', sources: ['m1'] },
      ...options,
    });

  it('grants a duplication a slot of its pool and its sources, whoever the client was', async () => {
    expect((await duplicate(80)).error).toMatchObject({ status: 213, field: 'pool' });
    await mediaBeat('m2', ['far']);
    await ask('unit-put', { unit: { name: 'remote', mediaId: 'm2', pool: 'far', jobsMax: 1 } });
    expect((await duplicate(80)).body).toMatchObject({
      state: 'granted',
      allocation: {
        ...{ purpose: 'duplicate', client: 'gone', unit: 'remote', pool: 'far' },
        media: [{ mediaId: 'm2' }, { mediaId: 'm1' }],
      },
    });
    const { units } = (await ask('units', {})).body as { units: { name: string }[] };
    expect(units.find(({ name }) => name === 'remote')).toMatchObject({ jobsActive: 1 });
    const reason = 'storage unit remote runs its maximum of 1 job';
    expect((await write(81, { unit: 'remote' })).body).toMatchObject({ state: 'queued', reason });
    expect((await duplicate(82)).body).toMatchObject({ state: 'queued', reason });
    await release(80);
    await until(() => heardGrantOf(81), { what: 'the writer had its turn' });
    await release(81);
    await until(() => heardGrantOf(82), { what: 'the duplication had its turn' });
    await release(82);
  });

  it('lets duplications pass whose sources are down, and grants them when those come back', async () => {
    await mediaBeat('m2', ['far']);
    await mediaBeat('m3', ['disk']);
    await broker.inDatabase(
      "UPDATE broker.media_server SET last_seen_at = $1 WHERE media_id = 'm3'",
      [new Date(Date.now() - 3_600_000)],
    );
    const first = await duplicate(90, { sources: ['m3'] });
    expect(first.body['reason']).toContain('media server m3 is down');
    expect((await duplicate(91)).body).toMatchObject({ state: 'granted' });
    await release(91);
    await mediaBeat('m3', ['disk']);
    await until(() => heardGrantOf(90), { what: 'its source came back' });
    const read = { purpose: 'read', job: 92, attempt: 1, client: 'gone', media: ['m3'] };
    expect((await ask('allocate', read)).body).toMatchObject({ state: 'granted' });
    await Promise.all([release(90), release(92)]);
  });

  it('shows itself to any micro service tool', async () => {
    expect(await broker.micro('PING')).toMatchObject({
      type: 'io.nats.micro.v1.ping_response',
      name: 'broker',
      version: '0.1.0',
    });
    const { endpoints } = await broker.micro('INFO');
    expect((endpoints as { name: string }[]).map(({ name }) => name).sort()).toEqual(
      ['allocate', 'allocations', 'client', 'clients', 'health', 'heartbeat', 'release', 'servers']
        .concat(['unit-delete', 'unit-put', 'units', 'group-delete', 'group-put', 'groups'])
        .concat([
          'pool-delete',
          'pool-put',
          'pools',
          'limit-put',
          'limits',
          'drain',
          'forget',
          'priority',
        ])
        .concat(['queue', 'settings', 'settings-put'])
        .sort(),
    );
    const { endpoints: counted } = (await broker.micro('STATS')) as {
      endpoints: { name: string; num_requests: number; average_processing_time: number }[];
    };
    const allocate = counted.find(({ name }) => name === 'allocate');
    expect(allocate?.num_requests).toBeGreaterThan(0);
    expect(allocate?.average_processing_time).toBeGreaterThan(0);
  });

  it('names the field that is wrong', async () => {
    expect((await write(1, { attempt: 0 })).error).toMatchObject({ status: 20, field: 'attempt' });
    expect((await ask('allocate', '{"purpose":')).error).toMatchObject({ status: 20 });
  });
});
