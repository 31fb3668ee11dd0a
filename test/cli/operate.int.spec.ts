import { beforeAll, describe, expect, it } from '@jest/globals';
import { brokerClients, brokerServers } from '#contracts/broker.js';
import { healthEndpoint } from '#contracts/health.js';
import {
  settingsEndpoint,
  settingsPutEndpoint,
  type SettingView,
} from '#contracts/settings/settings.js';
import { useFakeCluster } from './fake-cluster.js';

const SERVICES = ['policy', 'jobs', 'broker', 'catalog', 'media', 'agent'];

const cluster = await useFakeCluster();

describe('cluster status', () => {
  const seen = { host: 'h2', version: '0.1.0', lastSeenAt: '2026-03-10T11:58:00.000Z' };
  const report = (service: string) => ({
    service,
    instance: { media: 'media1', agent: 'web1' }[service] ?? 'one',
    version: '0.1.0',
    host: 'h',
    pid: 4_711,
    startedAt: '2026-03-10T11:59:00.000Z',
    residentBytes: 104_857_600,
    checks: [{ name: 'postgres', ok: true, text: 'PostgreSQL 18' }],
  });
  const server = {
    ...seen,
    ...{ mediaId: 'media1', address: { host: '127.0.0.1', port: 4_000 }, state: 'up', volumes: [] },
  };
  const client = { ...seen, client: 'web1', state: 'up' };

  it('shows every process, and those that should be there and do not answer', async () => {
    for (const service of SERVICES.filter((name) => name !== 'catalog')) {
      cluster.answer(healthEndpoint(service), () => report(service));
    }
    cluster.answer(brokerServers, () => ({ servers: [server, { ...server, mediaId: 'media2' }] }));
    cluster.answer(brokerClients, () => ({ clients: [client, { ...client, client: 'web2' }] }));
    const run = await cluster.run('cluster', 'status');
    expect(run.code).toBe(69);
    expect(run.out).toMatch(/^jobs +ok +one +h +4711 +0\.1\.0 +1m00s +100 MiB +- +- +-$/m);
    expect(run.out).toMatch(/^catalog +down .* no answer: is it running\?$/m);
    expect(run.out).toMatch(/^media +ok +media1 /m);
    expect(run.out).toMatch(/^media +down +media2 +h2 .* last heard of at 2026-03-10T11:58/m);
    expect(run.out).toMatch(/^agent +down +web2 /m);
    expect(run.out).toMatch(/^nats-server +ok /m);
    expect(run.out).toMatch(/^postgres +ok .* 18 /m);
    expect(run.out).toContain('Not all is well: 3 of 11.');
  });

  it('is well when all answer, and `status` says the same', async () => {
    for (const service of SERVICES) cluster.answer(healthEndpoint(service), () => report(service));
    cluster.answer(brokerServers, () => ({ servers: [server] }));
    cluster.answer(brokerClients, () => ({ clients: [client] }));
    const micro = {
      ...{ name: 'jobs', id: 'X', version: '0.1.0', started: '2026-03-10T11:59:00.000Z' },
      metadata: { instance: 'one', host: 'h', pid: '4711' },
      endpoints: [
        { name: 'list', num_requests: 5, num_errors: 1, last_error: 'no' },
        { name: 'get', num_requests: 2, num_errors: 0, last_error: '' },
      ],
    };
    cluster.shows([micro, { name: 'somebody-else', id: 'Y', version: '1' }]);
    const json = await cluster.run('status', '--json');
    expect(json.code).toBe(0);
    const { well, processes } = JSON.parse(json.out);
    expect(well).toBe(true);
    expect(processes.map(({ process }: { process: string }) => process)).toEqual([
      ...['up', 'nats-server', 'postgres'],
      ...SERVICES,
    ]);
    expect(processes[4]).toMatchObject({ process: 'jobs', requests: 7, errors: 1, trouble: [] });
  });
});

describe('config', () => {
  const tries: SettingView = {
    ...{ name: 'retry.tries', value: 2, unit: 'tries', source: 'default', unset: 2 },
    ...{ variable: 'HOLDFAST_POLICY_TRIES', settable: true },
    ...{ description: 'Backup Tries', allowed: 'a whole number from 1 to 10' },
  };
  const port: SettingView = { ...tries, name: 'media.port', unit: '', settable: false };

  beforeAll(() => {
    for (const service of SERVICES) {
      const settings = { policy: [tries], media: [port] }[service] ?? [];
      cluster.answer(settingsEndpoint(service), () => ({ service, instance: 'i1', settings }));
    }
  });

  it('shows every setting with its source and how it is set', async () => {
    const { code, out, err } = await cluster.run('config', 'show');
    expect(code).toBe(0);
    expect(out).toMatch(/^policy +retry\.tries +2 +tries +default +config set +Backup Tries$/m);
    expect(out).toMatch(/^media i1 +media\.port +2 +- +default +HOLDFAST_POLICY_TRIES /m);
    expect(err).toContain('only in the environment of the process');
    const one = JSON.parse((await cluster.run('config', 'show', 'policy', '--json')).out);
    expect(one).toMatchObject({ settings: [{ service: 'policy', name: 'retry.tries' }] });
  });

  it('sets one where it belongs, and takes it back', async () => {
    cluster.answer(settingsPutEndpoint('policy'), ({ value }) => ({
      setting: { ...tries, value: value ?? 2, source: value === null ? 'default' : 'set' },
    }));
    expect((await cluster.run('config', 'set', 'retry.tries', '5')).out).toBe(
      'retry.tries is 5 tries now (set).\n',
    );
    expect((await cluster.run('config', 'set', 'retry.tries', '--default')).out).toBe(
      'retry.tries is 2 tries now (default).\n',
    );
    expect(cluster.inputsOf(settingsPutEndpoint('policy'))).toEqual([
      { name: 'retry.tries', value: '5' },
      { name: 'retry.tries', value: null },
    ]);
  });

  it.each([
    [['show', 'mail'], 64, 'A service is policy, jobs'],
    [['set', 'retry.tries'], 64, 'Give a value, or --default'],
    [['set', 'retry.tries', '1', '--default'], 64, 'Give a value, or --default'],
    [['set', 'RETRY', '1'], 64, 'name: a setting is named like "retry.tries"'],
    [['set', 'retry.none', '1'], 2, 'There is no setting "retry.none"'],
    [['set', 'media.port', '1'], 64, "can't be set while media runs"],
  ])('%j is refused with what to do', async (args, code, text) => {
    expect(await cluster.run('config', ...args)).toMatchObject({
      code,
      out: '',
      err: expect.stringContaining(text),
    });
  });
});
