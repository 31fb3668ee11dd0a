import { describe, expect, it } from '@jest/globals';
import { HEARTBEAT_MISSED_MS } from '#contracts/broker.js';
import { changesResources, hostState, serverPools, type MediaHeartbeat } from './liveness.js';
import type { MarkedUnit } from './water-marks.js';

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

const volume = { pool: 'disk', path: '/data', freeBytes: 50, totalBytes: 100 };
const marked: MarkedUnit & { pool: string } = {
  ...{ pool: 'disk', full: false, highWaterPercent: 98, lowWaterPercent: 80 },
};

function sighting(options: { ago?: number; volumes?: MediaHeartbeat['volumes']; full?: boolean }) {
  const { ago: ms = 5_000, volumes = [volume], full = false } = options;
  return { lastSeenAt: ago(ms), pools: serverPools(volumes), units: [{ ...marked, full }] };
}

describe('a heartbeat', () => {
  const says = (volumes: MediaHeartbeat['volumes']) => ({ ...beat, volumes });

  it('changes something when the server is new, was down, or has another pool', () => {
    const same = says([volume]);
    expect(changesResources(undefined, same, NOW)).toBe(true);
    expect(changesResources(sighting({ ago: 60_000 }), same, NOW)).toBe(true);
    expect(changesResources(sighting({ volumes: [] }), same, NOW)).toBe(true);
  });

  it('changes something when a unit reaches a water mark, or has more drives', () => {
    const almost = says([{ ...volume, freeBytes: 2 }]);
    expect(changesResources(sighting({}), almost, NOW)).toBe(true);
    expect(changesResources(sighting({ full: true }), says([volume]), NOW)).toBe(true);
    const tape = { ...volume, class: 'sequential' as const };
    const one = sighting({ volumes: [{ ...tape, drives: 1 }] });
    expect(changesResources(one, says([{ ...tape, drives: 2 }]), NOW)).toBe(true);
    expect(changesResources(one, says([tape]), NOW)).toBe(false);
  });

  it('changes nothing when it says what is known already, or only that there is more room', () => {
    expect(changesResources(sighting({}), says([volume]), NOW)).toBe(false);
    expect(changesResources(sighting({}), says([{ ...volume, freeBytes: 90 }]), NOW)).toBe(false);
    const between = says([{ ...volume, freeBytes: 15 }]);
    expect(changesResources(sighting({ full: true }), between, NOW)).toBe(false);
  });

  it('changes something when a volume can be used again, and nothing when it no longer can', () => {
    const away = { ...volume, freeBytes: 0, totalBytes: 0, trouble: 'EIO' };
    expect(changesResources(sighting({ volumes: [away] }), says([volume]), NOW)).toBe(true);
    expect(changesResources(sighting({}), says([away]), NOW)).toBe(false);
    expect(changesResources(sighting({ full: true }), says([away]), NOW)).toBe(false);
  });

  it('counts a volume that cannot be used for nothing, and says of a pool of such what is wrong', () => {
    const away = { ...volume, path: '/away', freeBytes: 0, totalBytes: 0, trouble: 'EIO' };
    const there = { freeBytes: 50, totalBytes: 100, drives: null };
    for (const volumes of [
      [away, volume],
      [volume, away],
    ]) {
      expect([...serverPools(volumes)]).toEqual([['disk', there]]);
    }
    const nothing = { freeBytes: 0, totalBytes: 0, drives: null };
    const trouble = '/away: EIO';
    expect([...serverPools([away])]).toEqual([['disk', { ...nothing, trouble }]]);
  });

  it('shows of several volumes of a pool the roomiest, where it writes', () => {
    const pools = serverPools([volume, { ...volume, freeBytes: 70 }, { ...volume, freeBytes: 1 }]);
    expect([...pools]).toEqual([['disk', { freeBytes: 70, totalBytes: 100, drives: null }]]);
  });
});
