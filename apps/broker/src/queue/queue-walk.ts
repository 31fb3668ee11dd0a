import { claimsBefore } from '../domain/plan/claims.js';
import { byTurn, type WaitingRequest } from '../domain/resource-request.js';
import type { Walk } from '../domain/plan/walk.js';
import type { Queue } from '../persistence/queue.js';

/**
 * Walks through the queue and reads of it only what can matter; those who are `asking` stand not
 * in it yet. The walk decides as `plan` would for the whole queue; of those that get nothing,
 * it sees only some.
 */
export async function walkQueue(
  walk: Walk,
  queue: Pick<Queue, 'window' | 'claimants'>,
  { now, asking = [] }: { now: Date; asking?: readonly WaitingRequest[] },
): Promise<void> {
  const claimants = await queue.claimants(walk.soundTargets(), claimsBefore(now));
  const claims = new Set(claimants.map(({ arrival }) => arrival));
  let others = [...claimants, ...asking];
  let after: WaitingRequest | undefined;
  for (;;) {
    const { requests, isLast } = await queue.window(walk.openings(), after);
    after = requests.at(-1);
    const end = isLast ? undefined : after;
    const due = others.filter((other) => end === undefined || byTurn(other, end) <= 0);
    others = others.filter((other) => !due.includes(other));
    const all = new Map([...due, ...requests].map((request) => [request.arrival, request]));
    walk.consider([...all.values()].sort(byTurn), claims);
    if (isLast) return;
  }
}
