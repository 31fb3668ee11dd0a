import { z } from 'zod';
import { endpoint } from '../contract.js';
import { jobPriority, jobView } from '../job.js';
import { jobNumber, timestamp } from '../names.js';

const onOneJob = { request: z.object({ job: jobNumber }), response: z.object({ job: jobView }) };

export const jobsSuspend = endpoint('jobs', 'suspend', {
  description: 'Stops a job and keeps what it has committed, until it is resumed',
  ...onOneJob,
});

export const jobsResume = endpoint('jobs', 'resume', {
  description: 'Goes on with a job that is suspended or incomplete, or waits for a retry',
  ...onOneJob,
});

/** What the scheduler asks for. People say `resume`, which knows neither windows nor conditions. */
export const jobsContinue = endpoint('jobs', 'continue', {
  description:
    'Goes on with a backup that is out of tries, within a start window; any other job stays as it is',
  request: z.object({
    job: jobNumber,
    /** The `outOfTries.failedAt` that was seen: a job that has failed again since stays as it is. */
    failedAt: timestamp,
    /** End of the start window, as of a new job; null: however late. */
    closesAt: timestamp.nullable(),
  }),
  response: z.object({ job: jobView }),
});

export const jobsRestart = endpoint('jobs', 'restart', {
  description: 'Makes a new job of the same request; one that is open still is cancelled',
  request: z.object({
    job: jobNumber,
    /** A request that is sent again with the same id makes no second job. */
    requestId: z.uuid().optional(),
  }),
  response: z.object({ job: jobNumber, restarted: jobView }),
});

export const jobsPriority = endpoint('jobs', 'priority', {
  description: 'Changes the priority of a job that is not done',
  request: z.object({ job: jobNumber, priority: jobPriority }),
  response: z.object({ job: jobView }),
});
