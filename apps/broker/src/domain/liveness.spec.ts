import { describe, expect, it } from '@jest/globals';
import { HEARTBEAT_MISSED_MS } from '#contracts/broker.js';
import { bringsResources, hostState, type MediaHeartbeat } from './liveness.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const ago = (ms: number) => new Date(NOW.getTime() - ms);

const beat: MediaHeartbeat = {
  role: 'media',
  id: 'm1',
  host: 'h',
  version: '0.1.0',
  address: { host: '127.0.0.1', port: 4000 },
  volumes: [{ pool: 'disk', path: '/data', freeBytes: 1, totalBytes: 2 }],
};

describe('a host', () => {
  it('is up while its last heartbeat is recent enough', () => {
    expect(hostState(NOW, NOW)).toBe('up');
    expect(hostState(ago(HEARTBEAT_MISSED_MS), NOW)).toBe('up');
    expect(hostState(ago(HEARTBEAT_MISSED_MS + 1), NOW)).toBe('down');
  });
});

describe('a heartbeat', () => {
  it('brings resources when the server is new, was down, or has another pool', () => {
    expect(bringsResources(undefined, beat, NOW)).toBe(true);
    expect(bringsResources({ lastSeenAt: ago(60_000), pools: ['disk'] }, beat, NOW)).toBe(true);
    expect(bringsResources({ lastSeenAt: ago(5_000), pools: ['tape'] }, beat, NOW)).toBe(true);
  });

  it('brings nothing when it says what is known already', () => {
    const before = { lastSeenAt: ago(5_000), pools: ['disk', 'tape'] };
    expect(bringsResources(before, beat, NOW)).toBe(false);
  });
});
