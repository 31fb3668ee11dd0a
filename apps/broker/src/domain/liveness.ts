import { HEARTBEAT_MISSED_MS, type HostHeartbeat } from '#contracts/broker.js';
import type { ServerPool } from './resources.js';
import { isFull, type MarkedUnit } from './water-marks.js';

const NOTHING = { freeBytes: 0, totalBytes: 0, drives: null };

/** Up or down follows from the last heartbeat; it is stored nowhere, so it cannot be out of date. */
export function hostState(lastSeenAt: Date, now: Date): 'up' | 'down' {
  return now.getTime() - lastSeenAt.getTime() <= HEARTBEAT_MISSED_MS ? 'up' : 'down';
}

/** Whoever was last seen before this is down. */
export function upSince(now: Date): Date {
  return new Date(now.getTime() - HEARTBEAT_MISSED_MS);
}

export type MediaHeartbeat = Extract<HostHeartbeat, { role: 'media' }>;

/** What was known of a media server before its heartbeat. */
export interface MediaSighting {
  readonly lastSeenAt: Date;
  readonly pools: ReadonlyMap<string, ServerPool>;
  readonly units: readonly (MarkedUnit & { readonly pool: string })[];
}

/**
 * Whether a heartbeat could change who gets what: the server is new, was down, has another pool or
 * more drives, one that can be used again, or one of its units reaches a water mark. Most heartbeats change nothing, and for
 * them the queue is left alone.
 */
export function changesResources(
  before: MediaSighting | undefined,
  beat: MediaHeartbeat,
  now: Date,
): boolean {
  if (before === undefined || hostState(before.lastSeenAt, now) === 'down') return true;
  const pools = serverPools(beat.volumes);
  for (const [name, { drives, trouble }] of pools) {
    const known = before.pools.get(name);
    if (known === undefined || (drives ?? 0) > (known.drives ?? 0)) return true;
    if (known.trouble !== undefined && trouble === undefined) return true;
  }
  return before.units.some((unit) => isFull(unit, pools.get(unit.pool)) !== unit.full);
}

/**
 * What a media server has, by pool: of several volumes the roomiest, where it writes. Those that cannot be
 * used do not count, and a pool of no others is in trouble.
 */
export function serverPools(volumes: MediaHeartbeat['volumes']): Map<string, ServerPool> {
  const pools = new Map<string, ServerPool>();
  for (const { pool, path, trouble } of volumes) {
    if (trouble === undefined || pools.has(pool)) continue;
    pools.set(pool, { ...NOTHING, trouble: `${path}: ${trouble}` });
  }
  for (const { pool, trouble, freeBytes, totalBytes, class: kind, drives = 1 } of volumes) {
    if (trouble !== undefined) continue;
    const before = pools.get(pool);
    const known = before?.trouble === undefined ? before : undefined;
    const roomier =
      known === undefined || freeBytes > known.freeBytes ? { freeBytes, totalBytes } : known;
    const counted = kind === 'sequential' ? Math.max(drives, known?.drives ?? 0) : null;
    pools.set(pool, {
      freeBytes: roomier.freeBytes,
      totalBytes: roomier.totalBytes,
      drives: counted,
    });
  }
  return pools;
}
