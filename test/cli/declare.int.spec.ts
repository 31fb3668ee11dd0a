import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { brokerServers, brokerUnitPut, brokerUnits, storageUnit } from '#contracts/broker.js';
import {
  brokerGroupPut,
  brokerGroups,
  brokerLimitPut,
  brokerLimits,
  brokerPoolPut,
  brokerPools,
} from '#contracts/broker/configuration.js';
import {
  policyCheck,
  policyGet,
  policyList,
  policyPut,
  policyRetentionLevelPut,
  policyRetentionLevels,
  policySpec,
  type PolicySpec,
} from '#contracts/policy.js';
import { NotFound, PermanentError } from '#kernel/errors.js';
import { useFakeCluster } from './fake-cluster.js';

const cluster = await useFakeCluster();
const folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-test-'));
/** What the services have; `put` changes it. */
const policies = new Map<string, PolicySpec>();
const units = new Map<string, object>();
const levels = new Map<number, string>();
const pools = new Map<string, object>();
const groups = new Map<string, object>();
const limits = new Map<string, number>();
const nameOf = (value: unknown) => String(Reflect.get(Object(value), 'name'));

const UNIT = storageUnit.parse({ name: 'default', mediaId: 'media1', pool: 'main' });
const WEB = policySpec.parse({ name: 'web', clients: ['web1'], selections: ['/etc'] });

beforeAll(() => {
  cluster.answer(policyGet, ({ name }) => {
    const policy = policies.get(String(name));
    if (policy) return { policy };
    throw new NotFound('policy', String(name), 230);
  });
  cluster.answer(policyList, () => ({ policies: [...policies.values()] }));
  cluster.answer(policyPut, ({ policy }) => {
    const spec = policySpec.parse(policy);
    if (spec.name === 'refused') throw new PermanentError(20, 'Not this one.', 'policy.name');
    policies.set(spec.name, spec);
    return { policy, created: true };
  });
  cluster.answer(brokerUnits, () => ({
    units: [...units.values()].map((unit) => ({
      ...unit,
      ...{ jobsActive: 2, drained: false, full: false },
    })),
  }));
  cluster.answer(brokerUnitPut, ({ unit }) => {
    units.set(storageUnit.parse(unit).name, storageUnit.parse(unit));
    return { unit };
  });
  const volume = { pool: 'main', path: '/v', freeBytes: 1, totalBytes: 2 };
  cluster.answer(brokerServers, () => ({
    servers: [
      {
        ...{ mediaId: 'media1', host: 'h', version: '0.1.0', state: 'up' },
        ...{ address: { host: 'h', port: 1 }, lastSeenAt: '2026-01-01T00:00:00.000Z' },
        volumes: [volume],
      },
    ],
  }));
  cluster.answer(policyCheck, ({ policy }) => {
    const spec = policySpec.parse(policy);
    const warnings = [
      ...(spec.clients.includes('nobody') ? [{ field: 'policy.clients[1]', message: 'odd' }] : []),
      ...(units.has(spec.storage) ? [] : [{ field: 'policy.storage', message: 'no such unit' }]),
    ];
    return { policy, exists: policies.has(spec.name), warnings };
  });
  const used = { units: [], volumes: 1, freeBytes: 1, totalBytes: 2 };
  cluster.answer(brokerPools, () => ({
    pools: [
      ...[...pools.values()].map((pool) => ({ ...pool, declared: true, ...used })),
      { name: 'main', class: 'primary', description: '', declared: false, ...used },
    ],
  }));
  cluster.answer(brokerPoolPut, ({ pool }) => {
    pools.set(nameOf(pool), pool as object);
    return { pool };
  });
  cluster.answer(brokerGroups, () => ({ groups: [...groups.values()] }));
  cluster.answer(brokerGroupPut, ({ group }) => {
    groups.set(nameOf(group), group as object);
    return { group };
  });
  cluster.answer(brokerLimits, () => ({
    defaultJobsMax: 4,
    limits: [
      ...[...limits].map(([client, jobsMax]) => ({ client, jobsMax, own: true, jobsActive: 0 })),
      { client: 'busy', jobsMax: 4, own: false, jobsActive: 1 },
    ],
  }));
  cluster.answer(brokerLimitPut, ({ client, jobsMax }) => {
    limits.set(String(client), Number(jobsMax));
    return { client, jobsMax };
  });
  cluster.answer(policyRetentionLevels, () => ({
    levels: [...levels].map(([level, period]) => ({ level, period })),
  }));
  cluster.answer(policyRetentionLevelPut, ({ level, period }) => {
    levels.set(Number(level), String(period));
    return { level: { level, period } };
  });
});

beforeEach(() => {
  policies.clear();
  units.clear();
  levels.clear();
  pools.clear();
  groups.clear();
  limits.clear();
  levels.set(0, '1w').set(1, '2w');
  units.set('default', UNIT);
});

afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, text: string) => {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
};
const puts = () => cluster.asked.map(({ subject }) => subject).filter((one) => one.endsWith('put'));

const BOTH = `kind: Policy
name: web
clients: [web1]
selections: [/etc]
storage: fast
---
kind: StorageUnit
name: fast
mediaId: media1
pool: main
`;

describe('apply', () => {
  it('shows its plan and carries it out, with what others refer to first', async () => {
    const run = await cluster.run('apply', '-f', file('both.yaml', BOTH));
    expect(run).toMatchObject({ code: 0, err: '' });
    expect(run.out).toBe(
      [
        'created    StorageUnit fast',
        'created    Policy web',
        '',
        'StorageUnit fast is created.',
        'Policy web is created.',
        '2 created, 0 changed, 0 unchanged.\n',
      ].join('\n'),
    );
    expect(puts()).toEqual(['hf.svc.v1.broker.unit-put', 'hf.svc.v1.policy.put']);
    expect(policies.get('web')).toMatchObject({ storage: 'fast' });
  });

  it('changes what is different alone, and tells field by field', async () => {
    policies.set('web', { ...WEB, priority: 3, storage: 'fast' });
    units.set('fast', { ...UNIT, name: 'fast' });
    const run = await cluster.run('apply', '-f', file('both.yaml', BOTH));
    expect(run.out).toContain('unchanged  StorageUnit fast\nchanged    Policy web\n');
    expect(run.out).toContain('             priority: 3 -> 0\n');
    expect(puts()).toEqual(['hf.svc.v1.policy.put']);
  });

  it('does the same with every other kind, in the order in which they need each other', async () => {
    const text = `kind: ClientLimit
name: web1
jobsMax: 2
---
kind: Policy
name: web
clients: [web1]
selections: [/etc]
storage: any
---
kind: StorageUnitGroup
name: any
units: [default]
selection: round-robin
---
kind: StoragePool
name: copy
class: copy
`;
    const path = file('kinds.yaml', text);
    const run = await cluster.run('apply', '-f', path);
    expect(run).toMatchObject({ code: 0, err: '' });
    expect(run.out.match(/^created +\S+/gm)).toEqual([
      'created    StoragePool',
      'created    StorageUnitGroup',
      'created    ClientLimit',
      'created    Policy',
    ]);
    expect((await cluster.run('apply', '-f', path)).out).toContain('0 created, 0 changed, 4 ');
    const { out } = await cluster.run('get', 'all', '-o', 'yaml');
    const again = await cluster.run('apply', '-f', file('all.yaml', out));
    expect(again.out).toContain('0 created, 0 changed, 7 unchanged.');
  });

  it('changes a retention level, which has its number as its name', async () => {
    const path = file('level.yaml', 'kind: RetentionLevel\nname: 1\nperiod: infinite\n');
    const run = await cluster.run('apply', '-f', path);
    expect(run.out).toContain('changed    RetentionLevel 1\n             period: 2w -> infinite\n');
    expect([...levels]).toEqual([
      [0, '1w'],
      [1, 'infinite'],
    ]);
    expect((await cluster.run('get', 'retention-level', '1')).out).toMatch(/^ +1 +infinite$/m);
  });

  it('with --dry-run only shows, with what would do nothing', async () => {
    const text = `${BOTH}---\nkind: Policy\nname: odd\nclients: [web1, nobody]\nselections: [/x]\nstorage: none\n---\nkind: StorageUnit\nname: lost\nmediaId: media1\npool: gone\n`;
    const run = await cluster.run('apply', '--dry-run', '-f', file('odd.yaml', text));
    expect(run.code).toBe(0);
    expect(run.out).toContain('Nothing was changed: this was a dry run.');
    expect(run.err.trim().split('\n')).toEqual([
      'warning: StorageUnit lost: media server media1 has no volume of pool gone',
      'warning: Policy odd: clients[1]: odd',
      'warning: Policy odd: storage: no such unit',
    ]);
    expect(puts()).toEqual([]);
    const json = await cluster.run('apply', '--dry-run', '--json', '-f', join(folder, 'odd.yaml'));
    expect(JSON.parse(json.out)).toMatchObject({
      dryRun: true,
      plan: [{ name: 'fast', action: 'created', done: false }, { name: 'lost' }, {}, {}],
      warnings: [{ about: 'StorageUnit lost' }, {}, {}],
    });
  });

  it('takes a folder with all below, in the order of names, and nothing else in it', async () => {
    file('tree/b.yml', 'kind: StorageUnit\nname: b\nmediaId: media1\npool: main\n');
    file('tree/a/x.json', '{"kind":"StorageUnit","name":"a","mediaId":"media1","pool":"main"}');
    file('tree/notes.txt', 'no document');
    file('tree/.hidden.yaml', 'broken: [');
    const run = await cluster.run('apply', '-f', join(folder, 'tree'), '--json');
    const { plan } = JSON.parse(run.out);
    expect(plan.map(({ name }: { name: string }) => name)).toEqual(['a', 'b']);
    expect([...units.keys()]).toEqual(['default', 'a', 'b']);
  });

  it('asks nothing as long as one document of one file is wrong, and tells all that is', async () => {
    const good = file('bad/good.yaml', BOTH);
    const bad = file('bad/wrong.yaml', 'kind: Policy\nname: w\nclients: web1\nselections: [etc]\n');
    const run = await cluster.run('apply', '-f', join(folder, 'bad'), '-f', good);
    expect(run).toMatchObject({ code: 64, out: '' });
    expect(run.err.trim().split('\n')).toEqual([
      `${bad}:3:10: clients: Invalid input: expected array, received string`,
      `${bad}:4:14: selections[0]: a path must be absolute (start with "/"); the only other line allowed is NEW_STREAM`,
      `${good}:1:1: Policy "web" stands at ${good}:1:1, too`,
      `${good}:7:1: StorageUnit "fast" stands at ${good}:7:1, too`,
    ]);
    expect(cluster.asked).toEqual([]);
    const none = await cluster.run('apply', '-f', join(folder, 'none'));
    expect(none).toMatchObject({ code: 64, err: expect.stringContaining('no such file') });
  });

  it('takes no text that is not UTF-8: its paths would be others', async () => {
    const path = file('latin.yaml', '');
    writeFileSync(
      path,
      Buffer.from('kind: Policy\nname: p\nclients: [c]\nselections: [/caf\xe9]\n', 'latin1'),
    );
    const run = await cluster.run('apply', '-f', path);
    expect(run).toMatchObject({ code: 64, out: '', err: `${path} is no UTF-8 text.\n` });
  });

  it('says what is done when something fails in the middle', async () => {
    const text = `${BOTH}---\nkind: Policy\nname: refused\nclients: [web1]\nselections: [/x]\n---\nkind: Policy\nname: zoo\nclients: [web1]\nselections: [/x]\n`;
    const path = file('middle.yaml', text);
    const run = await cluster.run('apply', '-f', path);
    expect(run.code).toBe(64);
    expect(run.out).toContain('StorageUnit fast is created.\nPolicy web is created.\n');
    expect(run.err).toContain(`Policy refused (${path}:12:1) is not created: Not this one.`);
    expect(run.err).toContain('1 more was not begun. Mend it and apply the same files again');
    expect([...policies.keys()]).toEqual(['web']);
    const json = JSON.parse((await cluster.run('apply', '-f', path, '--json')).out);
    expect(json).toMatchObject({
      failed: 'Policy refused',
      error: { status: 20, message: 'Not this one.' },
      plan: [{ action: 'unchanged' }, { action: 'unchanged' }, { done: false }, { done: false }],
    });
  });
});

describe('get', () => {
  it('gives back what apply takes: all of it is unchanged', async () => {
    policies.set('web', { ...WEB, excludes: ['*.tmp'], priority: 7 });
    policies.set('db', { ...WEB, name: 'db', compressionLevel: 3 });
    for (const format of ['yaml', 'json']) {
      const { out, code } = await cluster.run('get', 'all', '-o', format);
      expect(code).toBe(0);
      const again = await cluster.run('apply', '-f', file(`again.${format}`, out));
      expect(again.out).toContain('0 created, 0 changed, 5 unchanged.');
    }
    expect(puts()).toEqual([]);
    const one = await cluster.run('get', 'policy', 'web', '-o', 'yaml');
    expect(one.out).toMatch(/^kind: Policy\nname: web\nclients:\n {2}- web1\n/);
    expect(one.out).not.toContain('crossMountPoints');
    const put = await cluster.run('policy', 'put', '-f', file('one.yaml', one.out));
    expect(put.code).toBe(0);
    expect(cluster.inputsOf(policyPut)).toEqual([
      { policy: policies.get('web'), create: false, check: true },
    ]);
  });

  it('is a table, and one document in JSON', async () => {
    expect((await cluster.run('get', 'units')).out).toMatch(
      /^default +media1 +main +4 +1\.0 GiB$/m,
    );
    expect((await cluster.run('get', 'policies')).out).toBe('There are no policies.\n');
    const json = await cluster.run('get', 'unit', 'default', '--json');
    expect(JSON.parse(json.out)).toEqual({
      ...{ kind: 'StorageUnit', name: 'default', mediaId: 'media1', pool: 'main' },
    });
    const none = await cluster.run('get', 'unit', 'none');
    expect(none).toMatchObject({ code: 2, err: expect.stringContaining('no StorageUnit "none"') });
    expect((await cluster.run('get', 'pizza')).err).toContain('There is no kind "pizza"');
  });
});

describe('explain', () => {
  it('shows a field with those in it, and all of them with --recursive', async () => {
    const { out } = await cluster.run('explain', 'policy.schedules');
    expect(out).toMatch(/^Field: +policy\.schedules$/m);
    expect(out).toMatch(/^Type: +list of objects$/m);
    expect(out).toMatch(/^ {2}name {2}<string, required>\n {6}unique in the policy$/m);
    const deep = await cluster.run('explain', 'policy', '--recursive');
    expect(deep.out).toMatch(/^ {2}schedules .*\n.*\n {6}name {2}<string, required>$/m);
    const json = JSON.parse((await cluster.run('explain', 'unit.jobsMax', '--json')).out);
    expect(json).toMatchObject({ type: 'integer', default: 4, required: false });
    expect((await cluster.run('explain')).out).toMatch(/^StorageUnit +units, unit/m);
    expect(await cluster.run('explain', 'policy.color')).toMatchObject({
      code: 64,
      err: expect.stringContaining('policy has no field "color"; it has name, active'),
    });
    expect(cluster.asked).toEqual([]);
  });
});
