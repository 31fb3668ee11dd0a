import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { until } from '../../../test/support/until.js';
import { pause, PolicyHarness, type Due } from './testing/policy-harness.js';

describe('the policy service', () => {
  let cluster: PolicyHarness;

  beforeAll(async () => {
    cluster = await PolicyHarness.start();
  });

  afterAll(() => cluster?.stop());

  const ask: PolicyHarness['ask'] = (endpoint, request) => cluster.ask(endpoint, request);
  const put: PolicyHarness['put'] = (policy, create) => cluster.put(policy, create);
  const dueOf = (policy: string) => cluster.dueOf(policy);
  const jobsOf = (policy: string) => cluster.jobsOf(policy);

  it('keeps policies, with their defaults', async () => {
    const { body } = await put({ name: 'hand' }, true);
    expect(body).toMatchObject({
      created: true,
      policy: { name: 'hand', active: true, storage: 'default', schedules: [{ name: 'full' }] },
    });
    expect((await ask('get', { name: 'hand' })).body['policy']).toEqual(body['policy']);
    expect((await put({ name: 'hand', priority: 7 })).body).toMatchObject({ created: false });
    expect((await ask('list', {})).body).toMatchObject({
      policies: [{ name: 'hand', priority: 7 }],
    });
  });

  it('lists policies in pages that fit into a message', async () => {
    const selections = Array.from({ length: 1_000 }, (_, i) => `/srv/${'x'.repeat(200)}/${i}`);
    const names = ['big1', 'big2', 'big3', 'big4'];
    for (const name of names) await put({ name, selections });
    const seen: string[] = [];
    let after: unknown;
    do {
      const { body } = await ask('list', { limit: 4, ...(after ? { after } : {}) });
      expect(body['total']).toBe(5);
      seen.push(...(body['policies'] as { name: string }[]).map(({ name }) => name));
      after = body['next'];
    } while (after !== null);
    expect(seen).toEqual([...names, 'hand']);
    for (const name of names) await ask('delete', { name });
  });

  it('names the field that is wrong, and what is allowed', async () => {
    expect((await put({ name: 'hand' }, true)).error).toMatchObject({
      status: 226,
      field: 'policy.name',
    });
    expect((await put({ name: 'x', selections: ['etc'] })).error).toMatchObject({
      status: 20,
      field: 'policy.selections[0]',
      message: expect.stringContaining('absolute'),
    });
    expect((await put({ name: 'x', selections: ['/fine\\\\', '/a\\b'] })).error).toMatchObject({
      field: 'policy.selections[1]',
      message: expect.stringContaining('written twice'),
    });
    const schedules = [{ name: 's', type: 'full', frequency: 'often' }];
    expect((await put({ name: 'x', schedules })).error).toMatchObject({
      field: 'policy.schedules[0].frequency',
      message: expect.stringContaining('"24h"'),
    });
    expect((await put({ name: 'on-demand' })).error).toMatchObject({ field: 'policy.name' });
  });

  it('refuses a run with the status codes of the field', async () => {
    await put({ name: 'asleep', active: false });
    for (const [request, status] of [
      [{ name: 'none' }, 230],
      [{ name: 'asleep' }, 247],
      [{ name: 'hand', schedule: 'hourly' }, 197],
      [{ name: 'hand', client: 'web9' }, 239],
    ] as const) {
      expect((await ask('run', request)).error).toMatchObject({ status });
    }
    expect((await ask('get', { name: 'none' })).error?.message).toBe(
      'There is no policy "none". `holdfast policy list` shows those that exist.',
    );
    expect((await ask('delete', { name: 'none' })).error).toMatchObject({ status: 230 });
    expect((await ask('due', { policy: 'none' })).error).toMatchObject({ status: 230 });
  });

  it('runs a policy by hand, and says which clients were refused', async () => {
    await put({ name: 'hand', clients: ['web1', 'web2'], excludes: ['*.tmp'] });
    cluster.jobs.offline.add('web2');
    const { body } = await ask('run', { name: 'hand' });
    expect(body).toMatchObject({
      jobs: [{ client: 'web1' }],
      refused: [{ client: 'web2', status: 1000 }],
    });
    expect(cluster.jobs.requests.at(-1)).toMatchObject({
      ...{ policy: 'hand', schedule: 'full', client: 'web1', kind: 'full' },
      ...{ selections: ['/etc'], excludes: ['*.tmp'], storage: 'default', retention: '14d' },
    });
    expect((await ask('run', { name: 'hand', client: 'web2' })).error).toMatchObject({
      status: 1000,
    });
    // What was started is told, whatever becomes of the rest.
    await put({ name: 'half', clients: ['sound', 'unsound'] });
    cluster.jobs.broken.add('unsound');
    expect((await ask('run', { name: 'half' })).body).toMatchObject({
      jobs: [{ client: 'sound', job: jobsOf('half')[0] }],
      refused: [{ client: 'unsound', status: 130 }],
    });
    expect((await ask('run', { name: 'half', client: 'unsound' })).error).toMatchObject({
      ...{ status: 130, retryable: true },
    });
    await ask('delete', { name: 'half' });
    const [job] = jobsOf('hand');
    expect((await dueOf('hand')).find(({ client }) => client === 'web1')).toMatchObject({
      dueAt: null,
      reason: `only by hand: the schedule has no frequency and no calendar; job ${job} runs now`,
      running: job,
    });
    await cluster.jobs.end(job!, 0);
    await until(
      async () => (await dueOf('hand')).every(({ reason }) => !reason.includes('runs now')),
      { what: 'the end of the job was heard' },
    );
  });

  it('starts the same jobs where a run is asked for again, since its answer was lost', async () => {
    await put({ name: 'asked', clients: ['db1', 'db2'] });
    const request = { name: 'asked', requestId: '019ac1d2-7c51-7a70-8f6d-1b8b0a6d9f10' };
    const { body } = await ask('run', request);
    expect(body['jobs']).toHaveLength(2);
    expect((await ask('run', request)).body).toEqual(body);
    expect(jobsOf('asked')).toHaveLength(2);
    await ask('delete', { name: 'asked' });
  });

  it('submits what is due once, however often the schedulers look', async () => {
    const schedules = [
      { name: 'daily', type: 'differential', frequency: '1d' },
      { name: 'weekly', type: 'full', frequency: '1w', retention: '30d' },
    ];
    await put({ name: 'auto', schedules });
    await until(() => jobsOf('auto').length === 1, { what: 'the new policy is due at once' });
    await pause(2_500);
    const [job, ...others] = jobsOf('auto');
    expect(others).toEqual([]);
    expect(cluster.jobs.requests[job! - 1]).toMatchObject({ schedule: 'weekly', retention: '30d' });
    await cluster.jobs.end(job!, 1);
    await until(
      async () => {
        const due = await dueOf('auto');
        return due[0]?.schedule === 'daily' && due[0].reason.includes(`(job ${job},`);
      },
      { what: 'the full counts for the incremental, too' },
    );
    const [daily, weekly] = await dueOf('auto');
    expect(daily!.reason).toContain('1d after the last good backup of a fuller or rarer schedule');
    expect(weekly!.reason).toContain('1w after the last good backup');
    const days = (entry: Due) => (Date.parse(entry.dueAt!) - Date.now()) / 86_400_000;
    expect([daily, weekly].map((entry) => Math.round(days(entry!)))).toEqual([1, 7]);
    await pause(1_500);
    expect(jobsOf('auto')).toEqual([job]);
  });

  it('makes no second job when it forgot that it had submitted one', async () => {
    await put({ name: 'twice', schedules: [{ name: 'f', type: 'full', frequency: '1d' }] });
    const isKnown = async () => (await dueOf('twice'))[0]!.reason.includes('runs now');
    await until(isKnown, { what: 'a job, and it is written down' });
    const client = new pg.Client({ connectionString: cluster.postgres.superuserUrl });
    await client.connect();
    await client.query(`DELETE FROM policy.running_job WHERE policy = 'twice'`);
    await client.end();
    await until(isKnown, { what: 'the same job was found again' });
    expect(jobsOf('twice')).toHaveLength(1);
  });

  it('waits after a failure as the retry rule says', async () => {
    const [job] = jobsOf('twice');
    await cluster.jobs.end(job!, 58);
    await until(
      async () => (await dueOf('twice'))[0]!.reason.startsWith(`job ${job} ended with status 58`),
      { what: 'the failure was heard' },
    );
    const [entry] = await dueOf('twice');
    expect(Math.round((Date.parse(entry!.dueAt!) - Date.now()) / 60_000)).toBe(10);
  });

  it('knows of a job that a person has run again, and starts none beside it', async () => {
    const schedules = [{ name: 'daily', type: 'full', frequency: '1d' }];
    await put({ name: 'again', schedules, retry: { tries: 9, periodHours: 12, delayMinutes: 1 } });
    await until(() => jobsOf('again').length === 1, { what: 'a job' });
    const [first] = jobsOf('again');
    const again = await cluster.jobs.restart(first!);
    await until(async () => (await dueOf('again'))[0]!.running === again, { what: 'it is known' });
    await cluster.jobs.end(first!, 150, { at: new Date(Date.now() - 120_000) });
    await until(async () => (await dueOf('again'))[0]!.reason.includes('status 150'), {
      what: 'the end of the first was heard',
    });
    await pause(2_500);
    expect(jobsOf('again')).toEqual([first, again]);
    await cluster.jobs.end(again, 0);
    await until(async () => (await dueOf('again'))[0]!.running === null, {
      what: 'its end was heard',
    });
    await ask('delete', { name: 'again' });
  });

  it('asks for a job whose end it did not hear, and survives what is no event', async () => {
    await cluster.jobs.publish({ nonsense: true });
    await put({ name: 'lost', schedules: [{ name: 'f', type: 'full', frequency: '1d' }] });
    await until(() => jobsOf('lost').length === 1, { what: 'a job' });
    await cluster.jobs.end(jobsOf('lost')[0]!, 0, { heard: false });
    await until(
      async () => (await dueOf('lost'))[0]!.reason.startsWith('1d after the last good backup'),
      { what: 'the job manager was asked' },
    );
  });

  it('does not ask again at once for a client that is offline', async () => {
    cluster.jobs.offline.add('web3');
    const schedules = [{ name: 'f', type: 'full', frequency: '1d' }];
    await put({ name: 'away', clients: ['web3'], schedules });
    await until(async () => (await dueOf('away'))[0]!.reason.includes('refused with status 1000'), {
      what: 'the refusal was written down',
    });
    cluster.jobs.offline.delete('web3');
    await pause(1_500);
    expect(jobsOf('away')).toEqual([]);
  });

  it('is not held up by jobs at which the job manager fails, however many and urgent', async () => {
    const schedules = [{ name: 'f', type: 'full', frequency: '1d' }];
    const clients = Array.from({ length: 40 }, (_, i) => `broken${i}`);
    for (const client of clients) cluster.jobs.broken.add(client);
    await put({ name: 'urgent', priority: 9, clients, schedules });
    await pause(1_500);
    await put({ name: 'modest', clients: ['web4'], schedules });
    await until(() => jobsOf('modest').length === 1, { what: 'the one that works' });
    expect(jobsOf('urgent')).toEqual([]);
    cluster.jobs.broken.clear();
    await until(() => jobsOf('urgent').length === clients.length, { what: 'the others' });
    for (const name of ['urgent', 'modest']) await ask('delete', { name });
  });

  it('forgets a policy when it is deleted', async () => {
    await ask('delete', { name: 'auto' });
    expect((await ask('get', { name: 'auto' })).error).toMatchObject({ status: 230 });
    const { body } = await ask('due', {});
    expect((body['due'] as { policy: string }[]).map(({ policy }) => policy)).not.toContain('auto');
    expect(body['total']).toBe(6);
  });

  it('answers PING and INFO as a micro service', async () => {
    expect(await cluster.micro('PING')).toMatchObject({ name: 'policy', version: '0.1.0' });
    const { endpoints } = await cluster.micro('INFO');
    expect((endpoints as { name: string }[]).map(({ name }) => name).sort()).toEqual(
      [
        ...['check', 'delete', 'due', 'get', 'health', 'list', 'put', 'resume-scheduling'],
        ...['retention-level-put', 'retention-levels', 'run', 'suspend-scheduling', 'user-backup'],
        ...['settings', 'settings-put'],
      ].sort(),
    );
  });
});
