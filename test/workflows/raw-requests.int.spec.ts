import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect, createInbox, type NatsConnection } from '@nats-io/transport-node';
import { Client } from 'pg';

import { CLIENT, TestCluster } from '../cluster/cluster.js';
import { listeningPorts } from '../cluster/listening-ports.js';
import { until } from '../support/until.js';

const SERVICES = ['agent', 'broker', 'catalog', 'jobs', 'media', 'policy'];

let cluster: TestCluster;
let operator: NatsConnection;

beforeAll(async () => {
  cluster = await TestCluster.start();
  expect(await cluster.cli('backup', '/etc/hostname')).toMatchObject({ exitCode: 0 });
  operator = await cluster.connect();
});
afterAll(() => cluster?.stop());

async function request(endpoint: string, body: string) {
  const reply = await operator.request(`hf.svc.v1.${endpoint}`, body, { timeout: 5_000 });
  return {
    error: reply.headers?.get('Nats-Service-Error') ?? '',
    code: reply.headers?.get('Nats-Service-Error-Code') ?? '',
    body: reply.json<Record<string, unknown>>(),
  };
}

describe("a plain NATS client with the operator's key", () => {
  it('gets raw JSON from the endpoints', async () => {
    const jobs = await request('jobs.list', '{}');
    expect(jobs).toMatchObject({
      error: '',
      body: { jobs: [{ job: 1, state: 'done', status: 0 }] },
    });
    const images = await request('catalog.images', '{"limit": 5}');
    expect(images.body).toMatchObject({ images: [{ client: CLIENT, state: 'COMPLETE' }] });
    const policy = { name: 'home', clients: [CLIENT], selections: ['/home'] };
    const put = await request('policy.put', JSON.stringify({ policy }));
    expect(put).toMatchObject({ error: '', body: { created: true } });
    expect((await request('policy.list', '')).body).toMatchObject({ policies: [{ name: 'home' }] });
    const servers = await request('broker.servers', '{}');
    const local: unknown = expect.stringMatching(/^holdfast-media-/);
    const address = { host: '127.0.0.1', local };
    expect(servers.body).toMatchObject({ servers: [{ mediaId: 'media1', state: 'up', address }] });
  });

  it('gets errors as headers and as the body', async () => {
    const unknown = await request('jobs.get', '{"job": 999999}');
    expect(unknown.code).toBe('805');
    expect(unknown.body).toMatchObject({ error: { status: 805, message: unknown.error } });
    expect(unknown.error).toContain('999999');
    const relative = { client: CLIENT, selections: ['etc'] };
    const refused = await request('jobs.backup', JSON.stringify(relative));
    expect(refused).toMatchObject({ code: '20', body: { error: { status: 20 } } });
    expect(refused.error).toMatch(/selections.*absolute/);
    const broken = await request('jobs.list', '{"limit":');
    expect(broken).toMatchObject({ code: '20' });
    expect(broken.error).toContain('not JSON');
    const jobs = await request('jobs.list', '{}');
    expect(jobs.body['jobs']).toHaveLength(1);
  });

  it('finds all six services, as ADR-32 says', async () => {
    const found = await all<{ name: string; type: string; id: string }>(
      '$SRV.PING',
      SERVICES.length,
    );
    expect(found.map(({ name }) => name).sort()).toEqual(SERVICES);
    expect(new Set(found.map(({ type }) => type))).toEqual(
      new Set(['io.nats.micro.v1.ping_response']),
    );
    const [info] = await all<{ endpoints: { subject: string }[] }>('$SRV.INFO.jobs', 1);
    expect(info!.endpoints.map(({ subject }) => subject)).toContain('hf.svc.v1.jobs.list');
    const [stats] = await all<{ endpoints: { name: string; num_requests: number }[] }>(
      `$SRV.STATS.catalog.${found.find(({ name }) => name === 'catalog')!.id}`,
      1,
    );
    const images = stats!.endpoints.find(({ name }) => name === 'images');
    expect(images!.num_requests).toBeGreaterThan(0);
  });
});

describe('an administrator', () => {
  it('gets as files what is there, and applying them changes nothing', async () => {
    const { stdout: files } = await cluster.text('get', 'all', '-o', 'yaml');
    expect(files).toContain('kind: Policy\nname: home\n');
    writeFileSync(cluster.path('work', 'all.yaml'), files);
    const again = await cluster.text('apply', '-f', 'all.yaml');
    expect(again).toMatchObject({ exitCode: 0, stderr: '' });
    expect(again.stdout).toMatch(/^0 created, 0 changed, \d+ unchanged\.$/m);
    writeFileSync(cluster.path('work', 'all.yaml'), files.replace('/home', '/srv'));
    const changed = await cluster.text('apply', '-f', 'all.yaml');
    expect(changed.stdout).toContain('selections: +/srv -/home');
    const stored = await request('policy.get', '{"name":"home"}');
    expect(stored.body).toMatchObject({ policy: { selections: ['/srv'] } });
  });

  it('sets with `config set` what the service itself then shows', async () => {
    const set = await cluster.cli('config', 'set', 'retry.tries', '4');
    expect(set).toMatchObject({ exitCode: 0, json: { setting: { value: 4, source: 'set' } } });
    const { settings } = (await request('policy.settings', '')).body as { settings: object[] };
    expect(settings).toContainEqual(
      expect.objectContaining({ name: 'retry.tries', value: 4, source: 'set', unset: 2 }),
    );
    const shown = await cluster.cli('config', 'show');
    const { silent, settings: all } = shown.json as { silent: string[]; settings: object[] };
    expect(silent).toEqual([]);
    expect(new Set(all.map((one) => Reflect.get(one, 'service')))).toEqual(new Set(SERVICES));
  });

  it('sees every process with its place', async () => {
    const well = await cluster.cli('cluster', 'status');
    expect(well).toMatchObject({ exitCode: 0, json: { well: true } });
    const { processes } = well.json as { processes: { process: string; pid: number }[] };
    const pidOf = (name: string) => processes.find(({ process }) => process === name)!.pid;
    expect(pidOf('media')).toBe(cluster.pid('media'));
    expect(pidOf('jobs')).toBe(cluster.pid('up'));
  });
});

/** All that answer, of so many; half a second is enough for one more that should not be there. */
async function all<T>(subject: string, count: number): Promise<T[]> {
  const inbox = createInbox();
  const subscription = operator.subscribe(inbox);
  const answers: T[] = [];
  const reading = (async () => {
    for await (const message of subscription) answers.push(message.json<T>());
  })();
  operator.publish(subject, '', { reply: inbox });
  await until(() => answers.length >= count, { what: `${count} answers to ${subject}` });
  await sleep(500);
  subscription.unsubscribe();
  await reading;
  return answers;
}

describe('without rights', () => {
  it('nobody submits a job: not the agent, whose key lies on a client', async () => {
    const agent = await cluster.connect(`agent-${CLIENT}`);
    const refusals: string[] = [];
    void (async () => {
      for await (const status of agent.status()) {
        if (status.type === 'error') refusals.push(status.error.message);
      }
    })();
    const backup = { client: CLIENT, selections: ['/etc'] };
    agent.publish('hf.svc.v1.jobs.backup', JSON.stringify(backup));
    agent.publish('hf.int.v1.frag.receipt.media1.f1', '{}');
    agent.publish('$JS.API.STREAM.PURGE.HF_FRAG_COMMIT', '{}');
    await agent.flush();
    await until(() => refusals.length >= 3, { what: 'three refusals' });
    for (const text of refusals) expect(text).toMatch(/permissions violation/i);
    expect((await request('jobs.list', '{}')).body['jobs']).toHaveLength(1);
  });

  it('nobody hears what others do', async () => {
    const agent = await cluster.connect(`agent-${CLIENT}`);
    const subscription = agent.subscribe('hf.>');
    const heard = (async () => {
      for await (const message of subscription) return message.subject;
      return 'nothing';
    })();
    await expect(heard).rejects.toThrow(/permissions violation/i);
  });

  it('nobody gets into NATS: neither without a key nor with one of his own', async () => {
    const servers = cluster.natsUrl;
    await expect(connect({ servers, reconnect: false })).rejects.toThrow(/authorization/i);
    const login = { servers, user: 'operator', pass: 'operator', reconnect: false };
    await expect(connect(login)).rejects.toThrow(/authorization/i);
  });

  it('nobody gets into PostgreSQL, and no service sees the tables of another', async () => {
    const secret = readFileSync(
      join(cluster.dataFolder, 'credentials/postgres-jobs.password'),
      'utf8',
    ).trim();
    for (const password of ['', 'holdfast', 'wrong']) {
      for (const user of ['postgres', 'holdfast', 'holdfast_jobs']) {
        await expect(query({ user, password }, 'SELECT 1')).rejects.toThrow(/password|role/);
      }
    }
    const jobs = { user: 'holdfast_jobs', password: secret };
    expect(await query(jobs, 'SELECT count(*)::int AS n FROM jobs.job')).toEqual([{ n: 1 }]);
    await expect(query(jobs, 'SELECT * FROM catalog.image')).rejects.toThrow(/permission denied/);
    await expect(query(jobs, 'CREATE TABLE public.t (n int)')).rejects.toThrow(/permission denied/);
  });

  it('nobody but the owner reads the data folder', () => {
    const modeOf = (name: string) => statSync(join(cluster.dataFolder, name)).mode & 0o777;
    // Where root runs it, PostgreSQL's group may pass through.
    expect(modeOf('.') & 0o067).toBe(0);
    expect(modeOf('credentials')).toBe(0o700);
    expect(modeOf('credentials/operator.nk')).toBe(0o600);
    expect(modeOf('credentials/postgres-superuser.password')).toBe(0o600);
  });

  it('nobody reaches the cluster from another machine: it listens on loopback only', () => {
    const ports = listeningPorts(cluster.processes().map(({ pid }) => pid));
    const addresses = new Set(ports.map(({ address }) => address));
    expect(ports.length).toBeGreaterThanOrEqual(3);
    expect(addresses).toEqual(new Set(['0100007F']));
  });
});

async function query(
  login: { user: string; password: string },
  sql: string,
): Promise<Record<string, unknown>[]> {
  const { postgres: port } = JSON.parse(
    readFileSync(join(cluster.dataFolder, 'ports.json'), 'utf8'),
  ) as { postgres: number };
  const client = new Client({ host: '127.0.0.1', port, database: 'holdfast', ...login });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}
