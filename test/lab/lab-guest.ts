import { setTimeout as sleep } from 'node:timers/promises';

import type { Knowledge } from './evidence.js';
import type { Trigger } from './loss-plan.js';
import { Guest, PowerLost, type GuestPlan } from './machine/guest.js';
import type { Expectation, Seen } from './protocol.js';

/** All that was seen of a cluster, over all lives of its machine. */
export class Chronicle implements Knowledge {
  readonly committed = new Set<string>();
  readonly deleted = new Set<string>();
  readonly completed = new Set<string>();
  readonly sealed = new Set<string>();
  /** By job. */
  readonly expectations = new Map<number, Expectation>();
  private readonly failures = new Set<number>();
  private readonly listeners = new Set<(seen: Seen) => void>();

  add(seen: Seen): void {
    switch (seen.what) {
      case 'committed':
        for (const id of seen.fragmentIds) this.committed.add(id);
        break;
      case 'deleted':
        this.deleted.add(seen.fragmentId);
        break;
      case 'completed':
        this.completed.add(seen.imageId);
        break;
      case 'submitted':
        this.expectations.set(seen.expectation.job, seen.expectation);
        break;
      case 'begun':
        break;
      default:
        seen satisfies never;
    }
    for (const listener of this.listeners) listener(seen);
  }

  /** True once for each job. */
  isNewFailure(job: number): boolean {
    return this.failures.size !== this.failures.add(job).size;
  }

  /** Resolves when it is time to cut the power. */
  async until(trigger: Trigger): Promise<void> {
    if (trigger.after !== 'start') {
      let missing = 'count' in trigger ? trigger.count : 1;
      await new Promise<void>((resolve) => {
        const listener = (seen: Seen): void => {
          if (seen.what !== trigger.after) return;
          missing -= seen.what === 'committed' ? seen.fragmentIds.length : 1;
          if (missing > 0) return;
          this.listeners.delete(listener);
          resolve();
        };
        this.listeners.add(listener);
      });
    }
    if (trigger.ms > 0) await sleep(trigger.ms);
  }
}

/** In a row. */
const CRASHES_MAX = 3;

/**
 * Does something that loses no power of its own will. Now and then a guest's kernel dies all the same (the host's log then
 * tells of an overflowed sigaltstack: some processors have larger signal frames than it was made for); then it is done
 * once more.
 */
export async function despiteCrashes<T>(
  say: (line: string) => void,
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  for (let crashes = 1; ; crashes += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof PowerLost) || crashes === CRASHES_MAX) throw error;
      say(`${what}: the guest's kernel has died by itself; once more`);
    }
  }
}

/** Guests that run now, so that an interrupted lab leaves none behind. */
const running = new Set<Guest>();

export async function bootGuest(
  plan: Omit<GuestPlan, 'onSeen'>,
  chronicle: Chronicle,
): Promise<Guest> {
  const guest = await Guest.boot({ ...plan, onSeen: (seen) => chronicle.add(seen) });
  running.add(guest);
  return guest;
}

export async function cutPower(guest: Guest): Promise<void> {
  await guest.cutPower();
  running.delete(guest);
}

export async function cutAllPower(): Promise<void> {
  await Promise.all([...running].map(cutPower));
}
