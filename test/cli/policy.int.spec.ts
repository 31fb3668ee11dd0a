import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { policyDue, policyGet, policyPut, policyRun, policySpec } from '#contracts/policy.js';
import { FakeCluster } from './fake-cluster.js';

let cluster: FakeCluster;
let folder: string;

beforeAll(async () => {
  cluster = await FakeCluster.start();
  folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-test-'));
});

beforeEach(() => {
  cluster.asked.length = 0;
});

afterAll(async () => {
  await cluster.stop();
  rmSync(folder, { recursive: true });
});

const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
describe('policy', () => {
  const spec = policySpec.parse({ name: 'p', clients: ['web1'], selections: ['/etc'] });

  it('is created from a file, run, and shown as such a file', async () => {
    cluster.answer(policyPut, ({ policy }) => ({ policy, created: true }));
    const path = file('p.yaml', 'name: p\nclients: [web1]\nselections: [/etc]\n');
    expect((await cluster.run('policy', 'create', '-f', path)).out).toContain(
      'Policy p is created.',
    );
    expect(cluster.inputsOf(policyPut)).toEqual([{ policy: spec, create: true }]);
    cluster.answer(policyRun, () => ({ jobs: [{ job: 7, client: 'web1' }] }));
    expect((await cluster.run('policy', 'run', 'p', '--schedule', 'full')).out).toBe(
      'Job 7 backs up web1. Watch it with: holdfast jobs watch 7\n',
    );
    cluster.answer(policyGet, () => ({ policy: spec }));
    const again = file('again.yaml', (await cluster.run('policy', 'show', 'p')).out);
    await cluster.run('policy', 'put', '-f', again);
    expect(cluster.inputsOf(policyPut).at(-1)).toEqual({ policy: spec, create: false });
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
    expect((await cluster.run('policy', 'due')).out).toMatch(/^- +p +full +web1 +by hand$/m);
  });
});
