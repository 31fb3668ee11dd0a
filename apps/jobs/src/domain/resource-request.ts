import { READ_SETS_MAX, type brokerAllocate } from '#contracts/broker.js';
import type { InputOf } from '#contracts/contract.js';
import {
  clientOf,
  isSynthetic,
  type BackupJob,
  type ImageOfChain,
  type Job,
  type RestoreJob,
} from './job.js';

/**
 * An image with several copies needs one of the servers that have each of its fragments. Where that comes to
 * more sets than the broker takes, all of the servers have to be up.
 */
function anyOf({ chain }: RestoreJob | BackupJob): { anyOf: string[][] } {
  const sets = new Map<string, string[]>();
  for (const image of chain) {
    for (const set of image.anyOf ?? image.media.map((mediaId) => [mediaId])) {
      sets.set([...set].sort().join(), [...set]);
    }
  }
  if (sets.size <= READ_SETS_MAX) return { anyOf: [...sets.values()] };
  return { anyOf: mediaOf(chain).map((mediaId) => [mediaId]) };
}

function mediaOf(chain: readonly ImageOfChain[]): string[] {
  return [...new Set(chain.flatMap(({ media }) => media))];
}

/** All that the attempt of a job asks the broker for. */
export function resourceRequest(job: Job): InputOf<typeof brokerAllocate> {
  const { attempt, priority } = job;
  const common = { job: job.job, attempt, client: clientOf(job), priority };
  switch (job.type) {
    case 'backup':
      return {
        purpose: 'write',
        ...common,
        unit: job.request.storage,
        ...ofPolicy(job),
        ...(isSynthetic(job) ? anyOf(job) : {}),
      };
    case 'duplicate':
      return {
        purpose: 'duplicate',
        ...common,
        pool: job.request.toPool,
        sources: [...job.sources],
      };
    case 'restore': {
      return { purpose: 'read', ...common, media: mediaOf(job.chain), ...anyOf(job) };
    }
    case 'verify':
      return { purpose: 'read', ...common, media: [...job.sources] };
    case 'parent':
      throw new Error(`job ${job.job} is a parent: its children ask for themselves`);
    default:
      return job satisfies never;
  }
}

function ofPolicy({ request, expected }: BackupJob) {
  const { policy, policyJobsMax, multiplexing } = request;
  return {
    policy,
    ...(policyJobsMax === undefined ? {} : { policyJobsMax }),
    ...(multiplexing === undefined ? {} : { multiplexing }),
    ...(expected?.storedBytes ? { estimatedBytes: expected.storedBytes } : {}),
  };
}
