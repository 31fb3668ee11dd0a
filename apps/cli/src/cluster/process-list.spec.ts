import { describe, expect, it } from '@jest/globals';
import type { MediaServer } from '#contracts/broker.js';
import type { HealthReport } from '#contracts/health.js';
import type { MicroInstance } from '#messaging/micro/discovery.js';
import { processesOf, SERVICES, type Heard } from './process-list.js';

const report = (service: string, changes: Partial<HealthReport> = {}): HealthReport => ({
  ...{ service, instance: `${service}1`, version: '0.1.0', host: 'h', pid: 7 },
  ...{ startedAt: '2026-01-01T00:00:00.000Z', residentBytes: 1, checks: [] },
  ...changes,
});
const micro = (service: string, changes: Partial<MicroInstance> = {}): MicroInstance => ({
  ...{ service, id: 'X', version: '0.1.0', startedAt: undefined },
  ...{ requests: 3, errors: 1, lastError: '' },
  metadata: { instance: `${service}1`, host: 'h', pid: '7' },
  ...changes,
});
const server = (mediaId: string, state: MediaServer['state']): MediaServer => ({
  ...{ mediaId, host: 'h', version: '0.1.0', address: { host: 'h', port: 1 }, state },
  ...{ lastSeenAt: '2026-01-01T00:00:00.000Z', volumes: [] },
});
const rows = (changes: Partial<Heard> = {}) =>
  processesOf({
    ...{ reports: SERVICES.map((name) => report(name)), instances: [] },
    ...{ servers: [], clients: [], ...changes },
  });
const row = (process: string, changes: Partial<Heard>) =>
  rows(changes).filter((one) => one.process === process);

describe('the processes of a cluster', () => {
  it('are one row each, however many ways they answer', () => {
    const all = rows({ instances: SERVICES.map((name) => micro(name)) });
    expect(all.map(({ process, state }) => `${process} ${state}`)).toEqual(
      SERVICES.map((name) => `${name} ok`),
    );
    expect(all[0]).toMatchObject({ requests: 3, errors: 1, residentBytes: 1 });
  });

  it('are in trouble when a check fails, or when they do not say how they are', () => {
    const checks = [{ name: 'postgres', ok: false, text: 'away' }];
    expect(row('jobs', { reports: [report('jobs', { checks })] })).toMatchObject([
      { state: 'trouble', trouble: ['postgres: away'] },
    ]);
    expect(row('jobs', { reports: [], instances: [micro('jobs')] })).toMatchObject([
      { state: 'trouble', pid: 7, trouble: ['it is there, but does not say in time how it is'] },
    ]);
  });

  it('are in trouble when the broker does not hear one that answers', () => {
    const servers = [server('media1', 'down')];
    expect(row('media', { servers })).toMatchObject([
      { state: 'trouble', trouble: ['the broker has not heard of it for a while'] },
    ]);
  });

  it('are down when the broker knows them and they do not answer', () => {
    const servers = [server('media1', 'up'), server('media2', 'up')];
    expect(row('media', { servers })).toMatchObject([
      { id: 'media1', state: 'ok' },
      { id: 'media2', state: 'down', trouble: [expect.stringContaining('last heard of')] },
    ]);
    expect(row('media', { reports: [], servers: undefined })).toMatchObject([
      { id: null, state: 'down', trouble: ['no answer: is it running?'] },
    ]);
  });

  it('are replicas where they have names of their own, and in trouble where they have one', () => {
    const two = [report('jobs'), report('jobs', { instance: 'jobs2', pid: 8 })];
    expect(row('jobs', { reports: two }).map(({ state }) => state)).toEqual(['ok', 'ok']);
    const same = [report('media'), report('media', { host: 'h2' })];
    expect(row('media', { reports: same }).map(({ trouble }) => trouble)).toEqual([
      ['two processes have this name: stop one of them'],
      ['two processes have this name: stop one of them'],
    ]);
  });
});
