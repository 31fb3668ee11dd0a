import { HEARTBEAT_MISSED_MS, type HostHeartbeat } from '#contracts/broker.js';

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
  readonly pools: readonly string[];
}

/**
 * Whether a heartbeat could let a waiting job go: the server is new, was down, or has other pools.
 * Most heartbeats change nothing, and for them the queue is left alone.
 */
export function bringsResources(
  before: MediaSighting | undefined,
  beat: MediaHeartbeat,
  now: Date,
): boolean {
  if (before === undefined || hostState(before.lastSeenAt, now) === 'down') return true;
  const known = new Set(before.pools);
  return beat.volumes.some(({ pool }) => !known.has(pool));
}
