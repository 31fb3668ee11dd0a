import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;
const WAIT_MS_MAX = 120_000;

/** Waits until a condition holds, and returns what it returned; throws with `what` when it takes too long. */
export async function until<T>(
  condition: () => T | Promise<T>,
  { what, ms = WAIT_MS_MAX }: { what: string; ms?: number },
): Promise<NonNullable<T>> {
  const end = performance.now() + ms;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (performance.now() > end) throw new Error(`Waited ${ms / 1000} s in vain for ${what}.`);
    await sleep(POLL_MS);
  }
}
