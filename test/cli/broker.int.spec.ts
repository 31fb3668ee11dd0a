import { describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  brokerDrain,
  brokerGroupPut,
  brokerGroups,
  brokerLimitPut,
  brokerLimits,
  brokerPoolPut,
  brokerPools,
} from '#contracts/broker/configuration.js';
import {
  brokerAllocations,
  brokerClients,
  brokerQueue,
  brokerRelease,
  brokerUnitDelete,
  brokerUnits,
  storageUnit,
} from '#contracts/broker.js';
import { PermanentError } from '#kernel/errors.js';
import { useFakeCluster } from './fake-cluster.js';

const ALLOCATION = '01920000-0000-7000-8000-00000000000a';
const AT = '2026-03-10T11:00:00.000Z';

const cluster = await useFakeCluster();

function file(name: string, text: string): string {
  const path = join(cluster.folder, name);
  writeFileSync(path, text);
  return path;
}

describe('what is granted and what waits', () => {
  it('is shown with its filters; the queue is asked for by itself', async () => {
    const allocation = {
      ...{ allocationId: ALLOCATION, job: 7, attempt: 1, purpose: 'write', client: 'web1' },
      ...{ unit: 'fast', pool: 'main', policy: 'web', fragmentBytesMax: 1024 ** 3 },
      media: [{ mediaId: 'media1', address: { host: '127.0.0.1', port: 9 } }],
      ...{ grantedAt: AT, leaseUntil: AT },
    };
    cluster.answer(brokerAllocations, () => ({ allocations: [allocation], queue: [], queued: 2 }));
    const { out, err } = await cluster.run('broker', 'allocations', '--unit', 'fast');
    expect(out).toMatch(/JOB +ATTEMPT +PURPOSE +CLIENT +POLICY +UNIT/);
    expect(out).toContain(ALLOCATION);
    expect(err).toBe('2 jobs wait: holdfast broker queue\n');
    expect(cluster.inputsOf(brokerAllocations)).toEqual([{ unit: 'fast' }]);
    cluster.answer(brokerAllocations, () => ({
      allocations: [allocation],
      isCut: true,
      queue: [],
    }));
    expect((await cluster.run('broker', 'allocations')).err).toMatch(/^There are more: /);
  });

  it('tells of all clients, however many pages they take', async () => {
    const client = { host: 'h', version: '0.1.0', state: 'up', lastSeenAt: AT };
    cluster.answer(brokerClients, ({ after }) =>
      after === undefined
        ? { clients: [{ ...client, client: 'web1' }], next: 'web1' }
        : { clients: [{ ...client, client: 'web2' }], next: null },
    );
    expect((await cluster.run('broker', 'clients')).out).toMatch(/web1 .*\nweb2 /);
    expect(cluster.inputsOf(brokerClients)).toMatchObject([{}, { after: 'web1' }]);
  });

  it('is read in pages, with why each one waits', async () => {
    const entry = (job: number) => ({
      ...{ job, attempt: 1, wait: 'unit-busy', reason: 'storage unit fast runs its maximum' },
      ...{ purpose: 'write', client: 'web1', unit: 'fast', pool: null, policy: null },
      ...{ priority: 5, position: job, since: AT },
    });
    const next = { priority: 5, arrival: 70 };
    cluster.answer(brokerQueue, ({ after }) =>
      after === undefined
        ? { entries: [entry(1)], next, queued: 3 }
        : { entries: [entry(2)], next: null, queued: 3 },
    );
    const { out, err } = await cluster.run('broker', 'queue', '--reason', 'unit-busy');
    expect(out).toMatch(/^PLACE +JOB .*\n +1 +1 .* unit-busy +storage unit fast runs its maximum/);
    expect(err).toBe('3 wait in all.\n');
    expect(cluster.inputsOf(brokerQueue)).toMatchObject([
      { reason: 'unit-busy', limit: 100 },
      { reason: 'unit-busy', limit: 99, after: next },
    ]);
    expect((await cluster.run('broker', 'queue', '--reason', 'whatever')).code).toBe(64);
  });

  it('is steered: release, drain, priority', async () => {
    cluster.answer(brokerRelease, () => ({ released: true, note: 'It belonged to job 7.' }));
    const release = await cluster.run('broker', 'release', ALLOCATION);
    expect(release).toMatchObject({ code: 0, err: 'It belonged to job 7.\n' });
    cluster.answer(brokerDrain, ({ drain }) => ({ drained: drain, writing: 1, reading: 2 }));
    expect((await cluster.run('broker', 'drain', 'media1')).out).toBe(
      'Media server media1 takes no new jobs.\n1 job still writes there, 2 read.\n',
    );
    const undone = await cluster.run('broker', 'drain', '--unit', 'fast', '--undo');
    expect(undone.out).toBe('Storage unit fast takes new jobs again.\n');
    expect(cluster.inputsOf(brokerDrain)).toEqual([
      { media: 'media1', drain: true },
      { unit: 'fast', drain: false },
    ]);
    expect((await cluster.run('broker', 'drain')).code).toBe(64);
  });
});

describe('what is set up', () => {
  it('is listed', async () => {
    const unit = storageUnit.parse({ name: 'fast', mediaId: 'media1', pool: 'main' });
    const state = { jobsActive: 1, drained: true, full: true };
    cluster.answer(brokerUnits, () => ({ units: [{ ...unit, ...state }] }));
    expect((await cluster.run('broker', 'units')).out).toMatch(/1\/4 +1 +drained, full +98\/80 %/);
    const group = { name: 'any', units: ['fast', 'slow'], selection: 'failover' };
    cluster.answer(brokerGroups, () => ({ groups: [group] }));
    expect((await cluster.run('broker', 'groups')).out).toMatch(/any +failover +fast, slow/);
    const pool = { name: 'vault', class: 'copy', description: 'off site', declared: true };
    const size = { units: ['v'], volumes: 1, freeBytes: 1024, totalBytes: 2048 };
    cluster.answer(brokerPools, () => ({ pools: [{ ...pool, ...size }] }));
    expect((await cluster.run('broker', 'pools')).out).toMatch(/vault +copy +yes +v +1 /);
    const limit = { client: 'web1', jobsMax: 2, own: true, jobsActive: 1 };
    cluster.answer(brokerLimits, () => ({ defaultJobsMax: 4, limits: [limit] }));
    const { out } = await cluster.run('broker', 'limits');
    expect(out).toMatch(/web1 +1\/2 +its own\nClients without a limit of their own: 4 backups/);
  });

  it('is put from files, by number, and removed', async () => {
    cluster.answer(brokerGroupPut, ({ group }) => ({ group }));
    const path = file('group.yaml', 'name: any\nunits: [fast, slow]\nselection: round-robin\n');
    expect((await cluster.run('group', 'put', '-f', path)).out).toBe(
      'Storage unit group any is set.\n',
    );
    const twice = file('twice.yaml', 'name: any\nunits: [fast, fast]\n');
    expect((await cluster.run('group', 'put', '-f', twice)).err).toMatch(/units: .*once/);
    cluster.answer(brokerPoolPut, ({ pool }) => ({ pool }));
    const vault = file('pool.yaml', 'name: vault\nclass: copy\n');
    expect((await cluster.run('pool', 'put', '-f', vault)).code).toBe(0);
    cluster.answer(brokerLimitPut, ({ client, jobsMax }) => ({ client, jobsMax: jobsMax ?? 4 }));
    expect((await cluster.run('limit', 'put', 'web1', '1')).out).toBe(
      'Client web1 may run 1 backup at once.\n',
    );
    expect((await cluster.run('limit', 'put', 'web1', 'default')).out).toBe(
      'Client web1 may run 4 backups at once, as the default says.\n',
    );
    expect(cluster.inputsOf(brokerLimitPut)).toEqual([
      { client: 'web1', jobsMax: 1 },
      { client: 'web1', jobsMax: null },
    ]);
    cluster.answer(brokerUnitDelete, () => {
      throw new PermanentError(228, 'Storage unit fast is in use: 1 job uses it.');
    });
    const refused = await cluster.run('unit', 'delete', 'fast');
    expect(refused).toMatchObject({ code: 2, out: '' });
    expect(refused.err).toMatch(/in use: 1 job uses it/);
  });
});
