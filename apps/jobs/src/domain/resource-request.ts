import type { brokerAllocate } from '#contracts/broker.js';
import type { InputOf } from '#contracts/contract.js';
import { clientOf, type Job } from './job.js';

/** All that the attempt of a job asks the broker for. */
export function resourceRequest(job: Job): InputOf<typeof brokerAllocate> {
  const common = { job: job.job, attempt: job.attempt, client: clientOf(job) };
  switch (job.type) {
    case 'backup': {
      const { storage, priority } = job.request;
      return { purpose: 'write', ...common, unit: storage, priority };
    }
    case 'duplicate': {
      const { toPool, priority } = job.request;
      return { purpose: 'duplicate', ...common, pool: toPool, sources: [...job.sources], priority };
    }
    case 'restore': {
      const media = new Set(job.chain.flatMap((image) => image.media));
      return { purpose: 'read', ...common, media: [...media] };
    }
    case 'verify':
      return { purpose: 'read', ...common, media: [...job.sources] };
    default:
      return job satisfies never;
  }
}
