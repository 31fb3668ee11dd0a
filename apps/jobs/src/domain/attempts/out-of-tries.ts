import { STATUS } from '#kernel/status.js';
import type { Job, OutOfTries } from '../job.js';

/** Of a job that is incomplete for want of tries; null for one that was suspended for too long, too. */
export function outOfTries(job: Job): OutOfTries | null {
  if (job.type === 'parent') return (job.step === 'gathering' && job.outOfTries) || null;
  const { pause, attempts } = job;
  if (job.step !== 'incomplete' || !pause || pause.outcome.status === STATUS.suspended) return null;
  return { failedAt: attempts.at(-1)?.endedAt ?? pause.since, status: pause.outcome.status };
}
