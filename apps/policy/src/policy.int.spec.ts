import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import pg from 'pg';
import { subjectOf } from '#contracts/contract.js';
import { CLOUD_EVENT_CONTENT_TYPE, envelope } from '#contracts/event.js';
import { jobDone, type BackupRequest, type JobView } from '#contracts/job.js';
import { natsUsers } from '#contracts/permissions.js';
import { CONSUMERS, STREAMS } from '#contracts/streams.js';
import { PermanentError } from '#kernel/errors.js';
import { uuidv7 } from '#kernel/ids.js';
import { Nats } from '#messaging/connection.js';
import { Publisher } from '#messaging/publisher.js';
import { Topology } from '#messaging/topology.js';
import { toErrorBody } from '#messaging/wire-error.js';
import { startService, type RunningService } from '#service/run-service.js';
import { startNats, type TestNats } from '../../../test/support/nats.js';
import { startPostgres, type TestPostgres } from '../../../test/support/postgres.js';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { policyDefinition } from './policy.definition.js';

interface Reply {
  readonly body: Record<string, unknown>;
  readonly error: { status: number; message: string; field?: string } | undefined;
}

interface Due {
  readonly schedule: string;
  readonly client: string;
  readonly dueAt: string | null;
  readonly reason: string;
}

/** The job manager as it looks from outside: it numbers jobs, knows request ids, tells of ends. */
class JobManagerOnTheWire {
  readonly requests: BackupRequest[] = [];
  readonly offline = new Set<string>();
  private readonly numbers = new Map<string, number>();
  private readonly views = new Map<number, JobView>();

  constructor(private readonly nats: Nats) {
    const { connection } = nats;
    connection.subscribe('hf.svc.v1.jobs.backup', { callback: (_, msg) => this.backup(msg) });
    connection.subscribe('hf.svc.v1.jobs.get', {
      callback: (_, msg) => {
        const { job } = msg.json<{ job: number }>();
        msg.respond(JSON.stringify({ job: this.views.get(job), log: [], logLines: 0 }));
      },
    });
  }

  private backup(msg: Msg): void {
    const request = msg.json<BackupRequest>();
    if (this.offline.has(request.client)) {
      const head = headers();
      head.set('Nats-Service-Error-Code', '1000');
      const error = new PermanentError(1000, `Client "${request.client}" is offline.`);
      return void msg.respond(JSON.stringify(toErrorBody(error)), { headers: head });
    }
    const id = request.requestId ?? uuidv7(new Date());
    const job = this.numbers.get(id) ?? this.requests.push(request);
    this.numbers.set(id, job);
    msg.respond(JSON.stringify({ job }));
  }

  /** Ends a job; `heard: false` loses the event. */
  async end(job: number, status: number, options: { heard: boolean } = { heard: true }) {
    const request = this.requests[job - 1]!;
    const now = new Date().toISOString();
    const view: JobView = {
      ...{ job, type: 'backup', state: 'done', status, statusText: '', message: '' },
      ...{ policy: request.policy, schedule: request.schedule, client: request.client },
      ...{
        kind: request.kind,
        imageId: null,
        storage: null,
        mediaId: null,
        attempt: 1,
        retryAt: null,
      },
      ...{ operation: '', createdAt: now, startedAt: now, endedAt: now },
      progress: {
        ...{ files: 0, bytes: 0, storedBytes: 0, currentPath: '' },
        ...{ waitedForEmpty: 0, waitedForFull: 0, fragments: 0, fragmentsTotal: 0 },
      },
    };
    this.views.set(job, view);
    if (options.heard) await this.publish(view);
  }

  async publish(data: unknown): Promise<void> {
    const id = uuidv7(new Date());
    const event = { id, source: 'jobs', subject: 'job', time: new Date(), data };
    await new Publisher(this.nats).publish({
      subject: subjectOf(jobDone, '1'),
      payload: envelope(jobDone, event),
      id,
      contentType: CLOUD_EVENT_CONTENT_TYPE,
    });
  }
}

describe('the policy service', () => {
  let nats: TestNats;
  let postgres: TestPostgres;
  let jobs: JobManagerOnTheWire;
  let plain: NatsConnection;
  const open: (() => Promise<void>)[] = [];
  const services: RunningService[] = [];

  beforeAll(async () => {
    [nats, postgres] = await Promise.all([
      startNats({ users: natsUsers({ media: [], clients: [] }) }),
      startPostgres(),
    ]);
    const topology = new Topology(await connect('topology'));
    await topology.ensureStreams(STREAMS);
    await topology.ensureConsumers(CONSUMERS);
    jobs = new JobManagerOnTheWire(await connect('jobs'));
    // Two replicas: both have a scheduler, and requests go to either.
    services.push(await start(), await start());
    plain = await nats.connect('operator');
  });

  afterAll(async () => {
    for (const service of services) await service.stop();
    for (const close of open) await close();
    await Promise.all([nats?.stop(), postgres?.stop()]);
  });

  async function connect(user: string): Promise<Nats> {
    const connection = await Nats.connect({ ...nats.login(user), clientName: 'spec' });
    open.push(() => connection.close());
    return connection;
  }

  async function start(): Promise<RunningService> {
    const seedFile = join(await temporaryFolder(), 'policy.nk');
    writeFileSync(seedFile, nats.login('policy').seed);
    return startService(policyDefinition, {
      HOLDFAST_NATS_URL: nats.url,
      HOLDFAST_NATS_USER: 'policy',
      HOLDFAST_NATS_SEED_FILE: seedFile,
      HOLDFAST_DATABASE_URL: postgres.url,
      HOLDFAST_POLICY_TICK_SECONDS: '1',
      HOLDFAST_POLICY_ASK_SECONDS: '3',
    });
  }

  async function ask(endpoint: string, request: unknown): Promise<Reply> {
    const subject = `hf.svc.v1.policy.${endpoint}`;
    const reply = await plain.request(subject, JSON.stringify(request), { timeout: 5_000 });
    const body = reply.json<Record<string, unknown>>();
    return { body, error: body['error'] as Reply['error'] };
  }

  const put = (policy: Record<string, unknown>, create = false) =>
    ask('put', { policy: { clients: ['web1'], selections: ['/etc'], ...policy }, create });

  async function dueOf(policy: string): Promise<Due[]> {
    return (await ask('due', { policy })).body['due'] as Due[];
  }

  async function eventually(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
    for (let waited = 0; waited < 10_000; waited += 50) {
      if (await check()) return;
      await pause(50);
    }
    throw new Error(`it never happened: ${what}`);
  }

  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const jobsOf = (policy: string) =>
    jobs.requests.flatMap((request, index) => (request.policy === policy ? [index + 1] : []));

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
    jobs.offline.add('web2');
    const { body } = await ask('run', { name: 'hand' });
    expect(body).toMatchObject({
      jobs: [{ client: 'web1' }],
      refused: [{ client: 'web2', status: 1000 }],
    });
    expect(jobs.requests.at(-1)).toMatchObject({
      ...{ policy: 'hand', schedule: 'full', client: 'web1', kind: 'full' },
      ...{ selections: ['/etc'], excludes: ['*.tmp'], storage: 'default', retention: '14d' },
    });
    expect((await ask('run', { name: 'hand', client: 'web2' })).error).toMatchObject({
      status: 1000,
    });
    const [job] = jobsOf('hand');
    expect((await dueOf('hand')).find(({ client }) => client === 'web1')).toMatchObject({
      dueAt: null,
      reason: `only by hand: the schedule has no frequency and no calendar; job ${job} runs now`,
      running: job,
    });
    await jobs.end(job!, 0);
    await eventually(
      async () => (await dueOf('hand')).every(({ reason }) => !reason.includes('runs now')),
      'the end of the job was heard',
    );
  });

  it('submits what is due once, however often the schedulers look', async () => {
    const schedules = [
      { name: 'daily', type: 'differential', frequency: '1d' },
      { name: 'weekly', type: 'full', frequency: '1w', retention: '30d' },
    ];
    await put({ name: 'auto', schedules });
    await eventually(() => jobsOf('auto').length === 1, 'the new policy is due at once');
    await pause(2_500);
    const [job, ...others] = jobsOf('auto');
    expect(others).toEqual([]);
    expect(jobs.requests[job! - 1]).toMatchObject({ schedule: 'weekly', retention: '30d' });
    await jobs.end(job!, 1);
    await eventually(async () => {
      const due = await dueOf('auto');
      return due[0]?.schedule === 'daily' && due[0].reason.includes(`(job ${job},`);
    }, 'the full counts for the incremental, too');
    const [daily, weekly] = await dueOf('auto');
    expect(daily!.reason).toContain('1d after the last good backup of a fuller schedule');
    expect(weekly!.reason).toContain('1w after the last good backup');
    const days = (entry: Due) => (Date.parse(entry.dueAt!) - Date.now()) / 86_400_000;
    expect([daily, weekly].map((entry) => Math.round(days(entry!)))).toEqual([1, 7]);
    await pause(1_500);
    expect(jobsOf('auto')).toEqual([job]);
  });

  it('makes no second job when it forgot that it had submitted one', async () => {
    await put({ name: 'twice', schedules: [{ name: 'f', type: 'full', frequency: '1d' }] });
    await eventually(() => jobsOf('twice').length === 1, 'a job');
    await pause(300);
    const client = new pg.Client({ connectionString: postgres.superuserUrl });
    await client.connect();
    await client.query(`DELETE FROM policy.running_job WHERE policy = 'twice'`);
    await client.end();
    await eventually(
      async () => (await dueOf('twice'))[0]!.reason.includes('runs now'),
      'the same job was found again',
    );
    expect(jobsOf('twice')).toHaveLength(1);
  });

  it('waits after a failure as the retry rule says', async () => {
    const [job] = jobsOf('twice');
    await jobs.end(job!, 58);
    await eventually(
      async () => (await dueOf('twice'))[0]!.reason.startsWith(`job ${job} ended with status 58`),
      'the failure was heard',
    );
    const [entry] = await dueOf('twice');
    expect(Math.round((Date.parse(entry!.dueAt!) - Date.now()) / 60_000)).toBe(10);
  });

  it('asks for a job whose end it did not hear, and survives what is no event', async () => {
    await jobs.publish({ nonsense: true });
    await put({ name: 'lost', schedules: [{ name: 'f', type: 'full', frequency: '1d' }] });
    await eventually(() => jobsOf('lost').length === 1, 'a job');
    await jobs.end(jobsOf('lost')[0]!, 0, { heard: false });
    await eventually(
      async () => (await dueOf('lost'))[0]!.reason.startsWith('1d after the last good backup'),
      'the job manager was asked',
    );
  });

  it('does not ask again at once for a client that is offline', async () => {
    jobs.offline.add('web3');
    const schedules = [{ name: 'f', type: 'full', frequency: '1d' }];
    await put({ name: 'away', clients: ['web3'], schedules });
    await eventually(
      async () => (await dueOf('away'))[0]!.reason.includes('refused with status 1000'),
      'the refusal was written down',
    );
    jobs.offline.delete('web3');
    await pause(1_500);
    expect(jobsOf('away')).toEqual([]);
  });

  it('forgets a policy when it is deleted', async () => {
    await ask('delete', { name: 'auto' });
    expect((await ask('get', { name: 'auto' })).error).toMatchObject({ status: 230 });
    const { body } = await ask('due', {});
    expect((body['due'] as { policy: string }[]).map(({ policy }) => policy)).not.toContain('auto');
    expect(body['total']).toBe(6);
  });

  it('answers PING and INFO as a micro service', async () => {
    const ping = await plain.request('$SRV.PING.policy', '', { timeout: 1_000 });
    expect(ping.json()).toMatchObject({ name: 'policy', version: '0.1.0' });
    const info = await plain.request('$SRV.INFO.policy', '', { timeout: 1_000 });
    const { endpoints } = info.json<{ endpoints: { name: string }[] }>();
    expect(endpoints.map(({ name }) => name).sort()).toEqual(
      [
        ...['check', 'delete', 'due', 'get', 'health', 'list', 'put', 'resume-scheduling'],
        ...['retention-level-put', 'retention-levels', 'run', 'suspend-scheduling', 'user-backup'],
      ].sort(),
    );
  });
});
