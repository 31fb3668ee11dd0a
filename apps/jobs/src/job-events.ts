import {
  jobActive,
  jobDone,
  jobIncomplete,
  jobProgressed,
  jobQueued,
  jobResumed,
  jobRetrying,
  jobSuspended,
  type JobState,
} from '#contracts/job.js';
import type { Work } from '#outbox/unit-of-work.js';
import type { Job } from './domain/job.js';
import { stateOf, viewOf } from './domain/view.js';

/** What the world hears when a job comes into a state. */
const EVENTS = {
  queued: jobQueued,
  active: jobActive,
  'waiting-for-retry': jobRetrying,
  suspended: jobSuspended,
  incomplete: jobIncomplete,
  done: jobDone,
} satisfies Readonly<Record<JobState, unknown>>;

const STANDS_STILL: ReadonlySet<JobState> = new Set(['suspended', 'incomplete']);

export function announceNew(work: Work, job: Job, createdAt: Date): void {
  work.announce(jobQueued, String(job.job), viewOf(job, createdAt));
}

export function announceChange(
  work: Work,
  change: { before: Job; after: Job; createdAt: Date },
): void {
  const { before, after } = change;
  const view = viewOf(after, change.createdAt);
  const subject = String(after.job);
  const [was, is] = [stateOf(before), stateOf(after)];
  if (was === is) {
    // How far it came in the end is told with its end.
    const isFurther = before.progress !== after.progress && after.step === 'running';
    if (isFurther) work.tell(jobProgressed, subject, view);
    return;
  }
  const goesOn = STANDS_STILL.has(was) && !STANDS_STILL.has(is) && after.outcome === null;
  if (goesOn) work.announce(jobResumed, subject, view);
  work.announce(EVENTS[is], subject, view);
}
