import type { DueEntry } from '#contracts/policy.js';
import type { Entry, OpenJob } from './agenda.js';
import { reasonOf } from './reason.js';

export interface PageQuestion {
  /** Only what is due by then. */
  readonly by: Date | undefined;
  readonly limit: number;
  /** The last entry of the page before, as its `next` named it. */
  readonly after?: string | undefined;
  readonly asked: Date;
}

export interface DuePage {
  readonly due: DueEntry[];
  readonly total: number;
  readonly next: string | null;
}

/** What comes last of all: those that run only by hand. */
const NEVER = 'never';

interface Place {
  /** Milliseconds; `Infinity` for never. */
  readonly at: number;
  readonly policy: string;
  readonly schedule: string;
  readonly client: string;
}

/** One page of the entries, the soonest first; `total` counts those of all pages. */
export function duePage(entries: readonly Entry[], question: PageQuestion): DuePage {
  const { by, limit, after, asked } = question;
  const until = by?.getTime() ?? Infinity;
  const due = entries.filter(({ dueAt }) => by === undefined || (dueAt && Number(dueAt) <= until));
  const from = after === undefined ? undefined : placeOf(after);
  const left = from === undefined ? due : due.filter((entry) => compare(toPlace(entry), from) > 0);
  const page = firstOf(left, limit);
  return {
    due: page.map((entry) => toDueEntry(entry, asked)),
    total: due.length,
    next: left.length > page.length ? cursorOf(page.at(-1)!) : null,
  };
}

/**
 * The first so many in order. There may be hundreds of thousands and few are wanted, so what cannot
 * be among them is dropped before anything is sorted.
 */
function firstOf(entries: readonly Entry[], limit: number): Entry[] {
  let kept: Entry[] = [];
  let last: Place | undefined;
  for (const entry of entries) {
    if (last !== undefined && isAfter(entry, last)) continue;
    kept.push(entry);
    if (kept.length < 2 * limit) continue;
    kept = inOrder(kept).slice(0, limit);
    last = toPlace(kept.at(-1)!);
  }
  return inOrder(kept).slice(0, limit);
}

function inOrder(entries: readonly Entry[]): Entry[] {
  return entries
    .map((entry) => ({ entry, place: toPlace(entry) }))
    .sort((a, b) => compare(a.place, b.place))
    .map(({ entry }) => entry);
}

/** Mostly the time alone tells, and then nothing is made only to be compared. */
function isAfter(entry: Entry, place: Place): boolean {
  const at = entry.dueAt === null ? Infinity : entry.dueAt.getTime();
  return at === place.at ? compare(toPlace(entry), place) > 0 : at > place.at;
}

function toPlace({ dueAt, policy, schedule, client }: Entry): Place {
  const at = dueAt === null ? Infinity : dueAt.getTime();
  return { at, policy: policy.name, schedule: schedule.name, client };
}

function compare(a: Place, b: Place): number {
  return (
    byValue(a.at, b.at) ||
    byValue(a.policy, b.policy) ||
    byValue(a.schedule, b.schedule) ||
    byValue(a.client, b.client)
  );
}

function byValue<T extends string | number>(a: T, b: T): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** Names hold no space. */
function cursorOf({ dueAt, policy, schedule, client }: Entry): string {
  return [dueAt?.toISOString() ?? NEVER, policy.name, schedule.name, client].join(' ');
}

function placeOf(cursor: string): Place {
  const [at = '', policy = '', schedule = '', client = ''] = cursor.split(' ');
  return { at: at === NEVER ? Infinity : Date.parse(at), policy, schedule, client };
}

function toDueEntry(entry: Entry, asked: Date): DueEntry {
  const { policy, schedule, client, dueAt, closesAt, running, goesOn, suspendedSince } = entry;
  const reasons = [
    reasonOf(entry, entry.times, asked.getTime()),
    running === undefined || goesOn !== undefined ? undefined : besideText(running),
    suspendedSince === null || dueAt === null
      ? undefined
      : `scheduling is suspended since ${suspendedSince.toISOString()}`,
  ];
  return {
    ...{ policy: policy.name, schedule: schedule.name, client },
    dueAt: dueAt?.toISOString() ?? null,
    reason: reasons.filter((reason) => reason !== undefined).join('; '),
    closesAt: closesAt?.toISOString() ?? null,
    running: running?.job ?? null,
    goesOn: goesOn ?? null,
    suspended: suspendedSince !== null,
  };
}

/** Why nothing starts beside a job that has not ended. */
function besideText({ job, failedAt }: OpenJob): string {
  return failedAt === null
    ? `job ${job} runs now`
    : `job ${job} is incomplete: nothing new starts until it is resumed or has ended`;
}
