import { z } from 'zod';
import { endpoint } from '../contract.js';

export const jobsSummary = endpoint('jobs', 'summary', {
  description: 'How many jobs are in each state, and how those of the last 24 hours ended',
  request: z.object({}),
  response: z.object({
    queued: z.int(),
    active: z.int(),
    waitingForRetry: z.int(),
    suspended: z.int(),
    incomplete: z.int(),
    /** Of jobs that ended within `hours`. */
    successful: z.int(),
    partial: z.int(),
    failed: z.int(),
    /** All of the above. */
    total: z.int(),
    hours: z.int(),
  }),
});
