import { randomFrom } from '../support/random.js';

/** When the power goes. */
export type Trigger =
  /** So long after everything begins to start. */
  | { readonly after: 'start'; readonly ms: number }
  /** So long after the first workload began. */
  | { readonly after: 'begun'; readonly ms: number }
  /** So many fragments were seen committed (or deleted); `ms` later. */
  | { readonly after: 'committed' | 'deleted'; readonly count: number; readonly ms: number }
  /** An image, or a further copy, was seen COMPLETE; `ms` later. */
  | { readonly after: 'completed'; readonly ms: number };

/** One loss of power. */
export interface Loss {
  /** `start`: while everything starts again after the loss before, and heals. */
  readonly during: 'work' | 'start';
  readonly trigger: Trigger;
  /** Run one after the other until the power goes; from 0 to 1, one chance for each. */
  readonly workloads: readonly { readonly name: string; readonly chance: number }[];
}

export const EXPIRE = 'expire';
/** One may find no image yet, and make it; one may find an image that others build on. */
const EXPIRES_FIRST = 3;
/** More of them than can be run before any trigger has come. */
const WORKLOADS_EACH = 8;
const START_SHARE = 0.15;
/** About what a start and a job take in a guest. */
const START_MS = 16_000;
const WORK_MS = 5_000;
const COMMITTED_MAX = 12;
const LATER_MS_MAX = 60;

/**
 * The losses of a campaign. The same seed gives the same ones, for the same number and workloads; what the machine makes of
 * them differs from run to run by some milliseconds.
 */
export function planLosses(options: {
  readonly seed: number;
  readonly count: number;
  readonly workloads: readonly string[];
}): Loss[] {
  const random = randomFrom(options.seed);
  return Array.from({ length: options.count }, (_, index) => {
    // Before the first work there is nothing to recover.
    const during = random() < START_SHARE && index > 0 ? 'start' : 'work';
    const workloads = Array.from({ length: WORKLOADS_EACH }, () => ({
      name: options.workloads[Math.floor(random() * options.workloads.length)]!,
      chance: random(),
    }));
    const trigger = possible(triggerOf(during, random), options.workloads);
    // Else most of these would find nothing that is deleted.
    const first = trigger.after === 'deleted' ? EXPIRES_FIRST : 0;
    return {
      ...{ during, trigger },
      workloads: workloads.map((one, at) => (at < first ? { ...one, name: EXPIRE } : one)),
    };
  });
}

export function describeTrigger(trigger: Trigger): string {
  switch (trigger.after) {
    case 'start':
      return `${(trigger.ms / 1_000).toFixed(1)} s`;
    case 'begun':
      return `${(trigger.ms / 1_000).toFixed(1)} s`;
    case 'committed':
    case 'deleted':
      return `${trigger.count} ${trigger.after} + ${trigger.ms} ms`;
    case 'completed':
      return `one COMPLETE + ${trigger.ms} ms`;
    default:
      return trigger satisfies never;
  }
}

/** Where nothing is deleted, nobody can wait for a deletion. */
function possible(trigger: Trigger, workloads: readonly string[]): Trigger {
  if (trigger.after !== 'deleted' || workloads.includes(EXPIRE)) return trigger;
  return { ...trigger, after: 'committed' };
}

function triggerOf(during: Loss['during'], random: () => number): Trigger {
  const kind = random();
  const amount = random();
  const ms = Math.floor(random() * LATER_MS_MAX);
  if (during === 'start') return { after: 'start', ms: Math.floor(amount * START_MS) };
  if (kind < 0.3) return { after: 'begun', ms: Math.floor(amount * WORK_MS) };
  if (kind < 0.5) return { after: 'deleted', count: 1 + Math.floor(amount * COMMITTED_MAX), ms };
  if (kind < 0.85) return { after: 'committed', count: 1 + Math.floor(amount * COMMITTED_MAX), ms };
  return { after: 'completed', ms };
}
