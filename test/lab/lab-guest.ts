import { setTimeout as sleep } from 'node:timers/promises';

import type { Knowledge } from './evidence.js';
import type { Trigger } from './loss-plan.js';
import { Guest, type GuestPlan } from './machine/guest.js';
import type { Expectation, Seen } from './protocol.js';

/** All that was seen of a cluster, over all lives of its machine. */
export class Chronicle implements Knowledge {
  readonly committed = new Set<string>();
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
      case 'completed':
        this.completed.add(seen.imageId);
        break;
      case 'submitted':
        this.expectations.set(seen.expectation.job, seen.expectation);
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
      let missing = trigger.after === 'committed' ? trigger.count : 1;
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
