import { closesAt, type Job } from '../job.js';

const AT_ONCE = new Date(0);

/**
 * When a job wants to be looked at, though nobody speaks of it. Long ago for one whose resources are
 * still to be given back; null for one that others will wake.
 */
export function wakeAt(job: Job): Date | null {
  switch (job.step) {
    case 'planning':
    case 'allocating':
      return closesAt(job);
    case 'retrying':
      return job.retry?.isLetGo ? job.retry.at : AT_ONCE;
    case 'weighing':
      return AT_ONCE;
    case 'suspended':
    case 'incomplete':
      return job.pause?.isLetGo ? null : AT_ONCE;
    default:
      return null;
  }
}
