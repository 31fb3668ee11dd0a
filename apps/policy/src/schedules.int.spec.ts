import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Msg } from '@nats-io/transport-node';
import { until } from '../../../test/support/until.js';
import { refuse } from './testing/job-manager-on-the-wire.js';
import { pause, PolicyHarness } from './testing/policy-harness.js';

describe('the schedules of the policy service', () => {
  let cluster: PolicyHarness;

  beforeAll(async () => {
    cluster = await PolicyHarness.start();
    await put({ name: 'hand' });
  });

  afterAll(() => cluster?.stop());

  const ask: PolicyHarness['ask'] = (endpoint, request) => cluster.ask(endpoint, request);
  const put: PolicyHarness['put'] = (policy, create) => cluster.put(policy, create);
  const dueOf = (policy: string) => cluster.dueOf(policy);
  const jobsOf = (policy: string) => cluster.jobsOf(policy);

  it('submits within a window only, with all that the policy says', async () => {
    const day = 24 * 60;
    const minutes = Math.floor(Date.now() / 60_000) % day;
    const clock = (minute: number) =>
      new Date((((minute % day) + day) % day) * 60_000).toISOString().slice(11, 16);
    const schedule = { type: 'full', frequency: '1d', retention: 2 };
    await put({
      ...{ name: 'windows', jobsMax: 3, keyword: 'k', multipleStreams: true },
      ...{ selections: ['/etc', '/srv'], clients: ['web5'] },
      schedules: [
        { ...schedule, name: 'later', windows: [{ from: clock(minutes + 120), for: '1h' }] },
      ],
    });
    const open = [{ from: clock(minutes - 30), for: '1h' }];
    await put({
      name: 'open',
      clients: ['web5'],
      schedules: [{ ...schedule, name: 'now', windows: open }],
    });
    await until(() => jobsOf('open').length === 1, { what: 'a job in the window' });
    expect(jobsOf('windows')).toEqual([]);
    const [later] = await dueOf('windows');
    expect(later!.reason).toMatch(/^no good backup yet; waits for the start window /);
    const now = cluster.jobs.requests[jobsOf('open')[0]! - 1]!;
    expect(now).toMatchObject({ origin: 'scheduled', retention: '3w' });
    const closesAt = Date.parse(now.closesAt!);
    expect(Math.round((closesAt - Date.now()) / 60_000)).toBeGreaterThanOrEqual(28);
    expect(closesAt - Date.now()).toBeLessThanOrEqual(31 * 60_000);
    await ask('run', { name: 'windows' });
    expect(cluster.jobs.requests.at(-1)).toMatchObject({
      ...{ origin: 'immediate', policyJobsMax: 3, keyword: 'k', streams: [['/etc'], ['/srv']] },
    });
    expect(cluster.jobs.requests.at(-1)).not.toHaveProperty('closesAt');
  });

  it('does not start what a change has made due, and says until when it waits', async () => {
    const weekly = { name: 'f', type: 'full', frequency: '1w' };
    await put({ name: 'changed', clients: ['web6'], schedules: [weekly] });
    await until(() => jobsOf('changed').length === 1, { what: 'a first job' });
    await cluster.jobs.end(jobsOf('changed')[0]!, 0);
    await until(
      async () => (await dueOf('changed'))[0]!.reason.startsWith('1w after the last good'),
      { what: 'its end was heard' },
    );
    await put({
      ...{ name: 'changed', clients: ['web6'] },
      schedules: [{ ...weekly, frequency: '1m' }],
    });
    const [entry] = await dueOf('changed');
    expect(Date.parse(entry!.dueAt!)).toBeGreaterThan(Date.now() + 30_000);
  });

  it('suspends and resumes scheduling of a policy and of the cluster, in all replicas', async () => {
    await ask('suspend-scheduling', { policy: 'hand' });
    const { body } = await ask('suspend-scheduling', {});
    const since = expect.any(String);
    expect(body).toEqual({
      suspensions: [
        { policy: null, since },
        { policy: 'hand', since },
      ],
    });
    await put({
      ...{ name: 'held', clients: ['web7'] },
      schedules: [{ name: 'f', type: 'full', frequency: '1d' }],
    });
    expect((await ask('list', {})).body['suspensions']).toEqual(body['suspensions']);
    await cluster.startReplica();
    await pause(1_500);
    expect(jobsOf('held')).toEqual([]);
    expect((await ask('due', { policy: 'held' })).body['due']).toMatchObject([
      { suspended: true, reason: expect.stringContaining('scheduling is suspended since') },
    ]);
    expect((await ask('run', { name: 'hand', client: 'web1' })).error).toBeUndefined();
    await ask('resume-scheduling', {});
    await until(() => jobsOf('held').length === 1, { what: 'the job that was held back' });
    expect((await ask('resume-scheduling', { policy: 'hand' })).body).toEqual({ suspensions: [] });
    expect((await ask('suspend-scheduling', { policy: 'none' })).error?.status).toBe(230);
  });

  it('says what is due by a time', async () => {
    await put({
      name: 'soon',
      clients: ['web8', 'web9'],
      schedules: [{ name: 'f', type: 'full', frequency: '1d' }],
    });
    await until(() => jobsOf('soon').length === 2, { what: 'both jobs' });
    // What becomes of a single stream says nothing of the backup.
    await cluster.jobs.endStream(jobsOf('soon')[0]!, 58);
    await cluster.jobs.endStream(jobsOf('soon')[1]!, 0, true);
    await pause(300);
    expect((await dueOf('soon')).map(({ reason }) => reason).join()).not.toMatch(/ended|1d after/);
    for (const job of jobsOf('soon')) await cluster.jobs.end(job, 0);
    await until(
      async () => (await dueOf('soon')).every(({ reason }) => reason.startsWith('1d after')),
      { what: 'the ends were heard' },
    );
    const by = async (days: number, rest: object = {}) => {
      const at = new Date(Date.now() + days * 86_400_000).toISOString();
      return (await ask('due', { at, policy: 'soon', ...rest })).body;
    };
    expect(await by(0.5)).toMatchObject({ due: [], total: 0, next: null });
    expect(await by(1.1, { client: 'web9' })).toMatchObject({
      due: [{ client: 'web9' }],
      total: 1,
    });
    const first = await by(1.1, { limit: 1 });
    expect(first).toMatchObject({ total: 2, next: expect.any(String) });
    const second = await by(1.1, { limit: 1, after: first['next'] });
    expect(second).toMatchObject({ total: 2, next: null });
    expect(await by(-1)).toMatchObject({ due: [], total: 0 });
  });

  it('starts what a user asks for where a window of a user schedule is open', async () => {
    await put({
      ...{ name: 'users', clients: ['web10'] },
      schedules: [{ name: 'own', type: 'user', retention: 'infinite' }],
    });
    const request = { client: 'web10', selections: ['/home/me'] };
    expect((await ask('user-backup', request)).body).toMatchObject({
      policy: 'users',
      schedule: 'own',
    });
    expect(cluster.jobs.requests.at(-1)).toMatchObject({
      ...{ policy: 'users', schedule: 'own', kind: 'full', origin: 'user' },
      ...{ selections: ['/home/me'], retention: 'infinite' },
    });
    expect((await ask('user-backup', { client: 'nobody' })).error?.status).toBe(236);
    expect((await ask('user-backup', { client: 'web10', policy: 'hand' })).error?.status).toBe(239);
  });

  it('keeps retention levels, and resolves them when a job is submitted', async () => {
    const { body } = await ask('retention-levels', {});
    expect((body['levels'] as object[])[3]).toEqual({ level: 3, period: '31d', isDefault: true });
    await ask('retention-level-put', { level: 3, period: '40d' });
    await put({ name: 'levels', schedules: [{ name: 'f', type: 'full', retention: 3 }] });
    await ask('run', { name: 'levels' });
    expect(cluster.jobs.requests.at(-1)).toMatchObject({ policy: 'levels', retention: '40d' });
    expect((await ask('retention-level-put', { level: 25, period: '1d' })).error?.field).toBe(
      'level',
    );
  });

  it('checks what a policy names, and keeps nothing of it', async () => {
    const policy = {
      name: 'new',
      clients: ['web1', 'ghost'],
      selections: ['/etc'],
      storage: 'slow',
    };
    const away = (await ask('check', { policy })).body;
    expect(away['warnings']).toMatchObject([{ field: 'policy' }]);
    const broker = await cluster.connect('broker');
    const answer = (name: string, reply: (msg: Msg) => void) =>
      broker.connection.subscribe(`hf.svc.v1.broker.${name}`, { callback: (_, msg) => reply(msg) });
    answer('units', (msg) => msg.respond(JSON.stringify({ units: [] })));
    answer('servers', (msg) => msg.respond(JSON.stringify({ servers: [] })));
    answer('client', (msg) => {
      const { client } = msg.json<{ client: string }>();
      if (client !== 'ghost') {
        const lastSeenAt = new Date().toISOString();
        return void msg.respond(JSON.stringify({ client, state: 'up', lastSeenAt }));
      }
      refuse(msg, 243, 'There is no client "ghost".');
    });
    await broker.connection.flush();
    const { body } = await ask('check', { policy });
    expect(body).toMatchObject({
      exists: false,
      warnings: [{ field: 'policy.clients[1]' }, { field: 'policy.storage' }],
    });
    expect((await ask('get', { name: 'new' })).error?.status).toBe(230);
    const stored = (await ask('put', { policy, check: true })).body;
    expect(stored).toMatchObject({ created: true, warnings: body['warnings'] });
  });
});
