import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

const POLL_MS = 20;
const WAIT_MS_MAX = 120_000;

/** Reads until what is read is as it should be, and returns it; throws with the last when it takes too long. */
export async function until<T>(
  read: () => T | Promise<T>,
  { is = Boolean, what = String(is === Boolean ? read : is), ms = WAIT_MS_MAX }: Wanted<T> = {},
): Promise<NonNullable<T>> {
  const end = performance.now() + ms;
  for (;;) {
    const value = await read();
    if (is(value)) return value as NonNullable<T>;
    if (performance.now() > end) {
      throw new Error(`Waited ${ms / 1000} s in vain for ${what}; the last was ${inspect(value)}.`);
    }
    await sleep(POLL_MS);
  }
}

interface Wanted<T> {
  /** Where nothing is said: whatever counts as true. */
  readonly is?: (value: T) => boolean;
  /** What is waited for, in words; where nothing is said, the code that looks for it. */
  readonly what?: string;
  readonly ms?: number;
}
