import type { Job, OutOfTries } from '../job.js';

/** How a job ends that somebody suspended and nobody resumed. */
export const STATUS_SUSPENDED = 157;

/** Of a job that is incomplete for want of tries; null for one that was suspended for too long, too. */
export function outOfTries(job: Job): OutOfTries | null {
  if (job.type === 'parent') return (job.step === 'gathering' && job.outOfTries) || null;
  const { pause, attempts } = job;
  if (job.step !== 'incomplete' || !pause || pause.outcome.status === STATUS_SUSPENDED) return null;
  return { failedAt: attempts.at(-1)?.endedAt ?? pause.since, status: pause.outcome.status };
}
