import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import {
  policyCheck,
  policyDue,
  policyGet,
  policyList,
  policyPut,
  policyResumeScheduling,
  policyRetentionLevelPut,
  policyRetentionLevels,
  policyRun,
  policySpec,
  policySuspendScheduling,
  policyUserBackup,
} from '#contracts/policy.js';
import { useFakeCluster } from './fake-cluster.js';

const cluster = await useFakeCluster();
const folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-test-'));

afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
describe('policy', () => {
  const spec = policySpec.parse({ name: 'p', clients: ['web1'], selections: ['/etc'] });

  it('is created from a file, run, and shown as such a file', async () => {
    cluster.answer(policyPut, ({ policy }) => ({
      policy,
      created: true,
      warnings: [{ field: 'policy.storage', message: 'there is no unit' }],
    }));
    const path = file('p.yaml', 'name: p\nclients: [web1]\nselections: [/etc]\n');
    const created = await cluster.run('policy', 'create', '-f', path);
    expect(created.out).toContain('Policy p is created.');
    expect(created.err).toBe('Warning: policy.storage: there is no unit.\n');
    expect(cluster.inputsOf(policyPut)).toEqual([{ policy: spec, create: true, check: true }]);
    cluster.answer(policyRun, () => ({ jobs: [{ job: 7, client: 'web1' }] }));
    expect((await cluster.run('policy', 'run', 'p', '--schedule', 'full')).out).toBe(
      'Job 7 backs up web1. Watch it with: holdfast jobs watch 7\n',
    );
    cluster.answer(policyGet, () => ({ policy: spec }));
    const again = file('again.yaml', (await cluster.run('policy', 'show', 'p')).out);
    await cluster.run('policy', 'put', '-f', again);
    expect(cluster.inputsOf(policyPut).at(-1)).toEqual({
      policy: spec,
      create: false,
      check: true,
    });
  });

  it('is checked, and kept nowhere', async () => {
    cluster.answer(policyCheck, ({ policy }) => ({
      ...{ policy, exists: false },
      warnings: [{ field: 'policy.storage', message: 'there is no unit' }],
    }));
    const path = file('check.yaml', 'name: p\nclients: [web1]\nselections: [/etc]\n');
    expect((await cluster.run('policy', 'check', '-f', path)).out).toBe(
      'policy.storage: there is no unit.\nPolicy p would be created; 1 warning.\n',
    );
    expect(cluster.inputsOf(policyPut)).toEqual([]);
  });

  it('with an error is refused with its place; nothing is asked', async () => {
    const path = file('bad.yaml', 'name: p\nclients: web1\nselections: [/etc]\n');
    const run = await cluster.run('policy', 'create', '-f', path);
    expect(run.code).toBe(64);
    expect(run.err).toBe(`${path}:2:10: clients: Invalid input: expected array, received string\n`);
    const missing = await cluster.run('policy', 'put', '-f', join(folder, 'none'));
    expect(missing).toMatchObject({ code: 64, err: expect.stringContaining('no such file') });
    expect(cluster.asked).toEqual([]);
  });

  it('shows what is due', async () => {
    const due = { policy: 'p', schedule: 'full', client: 'web1', dueAt: null, reason: 'by hand' };
    cluster.answer(policyDue, () => ({ due: [due] }));
    expect((await cluster.run('policy', 'due')).out).toMatch(/^- +p +full +web1 +- +by hand$/m);
  });

  it('shows what is due by a time, in pages, and that there is more', async () => {
    const due = { policy: 'p', schedule: 'full', client: 'web1', dueAt: null, reason: 'r' };
    cluster.answer(policyDue, ({ limit }) => ({
      ...{ due: Array.from({ length: Number(limit) }, () => due), total: 5_000 },
      next: 'never p full web1',
    }));
    const run = await cluster.run(
      ...['policy', 'due', '--at', '2026-12-01T18:00:00Z', '--policy', 'p', '--limit', '1500'],
    );
    expect(run.out.match(/web1/g)).toHaveLength(1_500);
    expect(run.err).toBe('1500 of 5000. Show more with --limit.\n');
    const at = '2026-12-01T18:00:00.000Z';
    expect(cluster.inputsOf(policyDue)).toEqual([
      { at, policy: 'p', limit: 1_000 },
      { at, policy: 'p', limit: 500, after: 'never p full web1' },
    ]);
  });

  it('scheduling is suspended and resumed, and the lists say so', async () => {
    const since = '2026-12-01T18:00:00.000Z';
    const suspensions = [{ policy: 'p', since }];
    cluster.answer(policySuspendScheduling, () => ({ suspensions }));
    const suspended = await cluster.run('policy', 'suspend-scheduling', 'p');
    expect(suspended.out).toBe(
      'Nothing of policy p starts by itself any more; what runs goes on.\n',
    );
    cluster.answer(policyList, () => ({ policies: [spec], suspensions }));
    const list = await cluster.run('policy', 'list');
    expect(list.out).toMatch(/SCHEDULING\n.*suspended\n$/);
    expect(list.err).toMatch(
      /^Scheduling of policy p is suspended since 2026-.*resume-scheduling p\n$/,
    );
    cluster.answer(policyResumeScheduling, () => ({ suspensions: [] }));
    expect((await cluster.run('policy', 'resume-scheduling')).out).toBe('Scheduling goes on.\n');
    expect(cluster.inputsOf(policyResumeScheduling)).toEqual([{}]);
  });

  it('is what the backup of a user belongs to', async () => {
    cluster.answer(policyUserBackup, () => ({ job: 9, policy: 'p', schedule: 'own' }));
    const run = await cluster.run('policy', 'user-backup', '/home/me', '--client', 'web1');
    expect(run.out).toContain('Job 9 backs up web1 (policy p, schedule own).');
    expect(cluster.inputsOf(policyUserBackup)).toEqual([
      { client: 'web1', selections: ['/home/me'], requestId: expect.any(String) },
    ]);
  });

  it('names retention levels, which stand for periods', async () => {
    cluster.answer(policyRetentionLevels, () => ({
      levels: [{ level: 3, period: '40d', isDefault: false }],
    }));
    expect((await cluster.run('policy', 'retention-levels')).out).toMatch(/^ +3 +40d +set$/m);
    cluster.answer(policyRetentionLevelPut, (level) => ({ level }));
    expect((await cluster.run('policy', 'retention-level', '3', 'infinite')).code).toBe(0);
    expect(cluster.inputsOf(policyRetentionLevelPut)).toEqual([{ level: 3, period: 'infinite' }]);
    expect((await cluster.run('policy', 'retention-level', '3', 'long')).code).toBe(64);
  });
});
