import type { InputOf } from '#contracts/contract.js';
import type { JobOrigin, jobsBackup } from '#contracts/job.js';
import type { PolicySpec } from '#contracts/policy.js';
import type { Schedule } from '#contracts/schedule.js';
import { filesOf } from './streams.js';

export interface Submission {
  readonly policy: PolicySpec;
  readonly schedule: Schedule;
  readonly client: string;
  readonly origin: JobOrigin;
  /** The due time that it is for; null for what somebody starts. */
  readonly dueAt: Date | null;
  /** A job that is still queued then is not begun any more; null: however late. */
  readonly closesAt: Date | null;
  /** The same id makes the same job; without one each call makes another. */
  readonly requestId?: string | undefined;
  /** In place of what the policy selects. */
  readonly selections?: readonly string[];
}

/** What the job manager is asked for. `retention` is the schedule's, with its level resolved. */
export function backupRequestOf(
  submission: Submission,
  retention: string,
): InputOf<typeof jobsBackup> {
  const { policy, schedule, client, origin, closesAt, requestId, selections } = submission;
  const { crossMountPoints, compressionLevel, jobsMax, keyword, hooks } = policy;
  const files = filesOf(policy, client);
  return {
    ...{ policy: policy.name, schedule: schedule.name, client, origin, retention },
    kind: schedule.type === 'user' ? 'full' : schedule.type,
    ...(schedule.synthetic ? { synthetic: true } : {}),
    storage: schedule.storage ?? policy.storage,
    priority: schedule.priority ?? policy.priority,
    ...{ crossMountPoints, compressionLevel },
    ...(selections === undefined
      ? files
      : { selections: [...selections], excludes: files.excludes }),
    ...(closesAt === null ? {} : { closesAt: closesAt.toISOString() }),
    ...(jobsMax === undefined ? {} : { policyJobsMax: jobsMax }),
    ...(keyword === undefined ? {} : { keyword }),
    ...(hooks === undefined ? {} : { hooks }),
    ...(schedule.multiplexing === undefined ? {} : { multiplexing: schedule.multiplexing }),
    ...(requestId === undefined ? {} : { requestId }),
  };
}
