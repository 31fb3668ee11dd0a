import { voiceOf } from './participants.js';
import type { Backoff, Job } from './job.js';

/** For jobs that were saved before there was more than one attempt. */
const BACKOFF: Backoff = { firstMs: 5_000, factor: 3, maxMs: 300_000, drainsMax: 10 };

/** A job as JSON gives it back: instants are texts, and what its release did not know yet is absent. */
export type SavedDocument = { readonly [Field in keyof Job]?: unknown } & { readonly type: string };

/** The job of a saved document, whichever release saved it. */
export function revive(document: SavedDocument, number: number): Job {
  const saved = document as unknown as Job;
  const startedAt = instant(saved.startedAt);
  const job = {
    ...ofItsType(saved),
    job: number,
    failures: saved.failures ?? 0,
    backoff: saved.backoff ?? BACKOFF,
    leasedAt: instant(saved.leasedAt),
    startedAt,
    endedAt: instant(saved.endedAt),
    runningSince: instant(saved.runningSince) ?? startedAt,
    ...withPauses(saved),
  };
  return { ...job, heard: byVoice(job, job.heard), results: byVoice(job, job.results) };
}

/** What jobs that were saved before they could be suspended do not know. */
function withPauses(saved: Job) {
  const { retry, pause } = saved;
  return {
    revision: saved.revision ?? 0,
    parent: saved.parent ?? null,
    stream: saved.stream ?? null,
    priority: saved.priority ?? priorityOf(saved),
    wait: saved.wait ?? '',
    trouble: saved.trouble ?? '',
    releasingSince: instant(saved.releasingSince),
    attempts: (saved.attempts ?? []).map((one) => ({
      ...{ ...one, startedAt: instant(one.startedAt), endedAt: new Date(one.endedAt) },
    })),
    owed: saved.owed ?? [],
    expected: saved.expected ?? null,
    retry: retry
      ? {
          ...{
            ...retry,
            at: new Date(retry.at),
            isLetGo: retry.isLetGo ?? saved.allocation === null,
          },
        }
      : null,
    pause: pause ? { ...pause, since: new Date(pause.since) } : null,
  };
}

function priorityOf({ request }: Job): number {
  return 'priority' in request ? request.priority : 0;
}

function ofItsType(saved: Job): Job {
  if (saved.type === 'backup') {
    const verifyingSince = instant(saved.verifyingSince);
    const { run = null, fresh = false, chain = [] } = saved;
    return { ...saved, run, fresh, chain, verifyingSince };
  }
  if (saved.type === 'duplicate') {
    return { ...saved, verifyingSince: instant(saved.verifyingSince) };
  }
  if (saved.type === 'parent') {
    const failed = saved.outOfTries ?? null;
    return { ...saved, outOfTries: failed && { ...failed, failedAt: new Date(failed.failedAt) } };
  }
  return saved;
}

function instant(value: Date | string | null | undefined): Date | null {
  return value === null || value === undefined ? null : new Date(value);
}

/** Once there was one media server at the most, under the name `media`; 0 meant not heard yet. */
function byVoice<T>(job: Job, kept: Readonly<Record<string, T>>): Record<string, T> {
  const first = job.allocation?.media[0]?.mediaId;
  const entries = Object.entries(kept ?? {}).flatMap(([voice, value]): [string, T][] => {
    if (voice !== 'media') return [[voice, value]];
    return first === undefined ? [] : [[voiceOf({ from: 'media', instance: first }), value]];
  });
  return Object.fromEntries(entries);
}
