import { ON_DEMAND_POLICY, type JobView } from '#contracts/job.js';
import { policyDue, type DueEntry } from '#contracts/policy.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { Cluster } from '../cluster/cluster.js';

/**
 * When the policy of a backup that has failed runs it again, or goes on with one that is out of tries, and
 * why then. Null for others, and where nobody can say: the policy may be gone, or its service away.
 */
export async function nextRun(cluster: Cluster, job: JobView): Promise<DueEntry | null> {
  const { policy, schedule, client } = job;
  if (job.type !== 'backup' || policy === ON_DEMAND_POLICY) return null;
  const hasFailed = (job.status ?? 0) > STATUS.partial && job.parent === null;
  if (!hasFailed && job.outOfTries === null) return null;
  try {
    const { due } = await cluster.ask(policyDue, { policy, client });
    return due.find((entry) => entry.schedule === schedule) ?? null;
  } catch (error) {
    if (error instanceof PermanentError || error instanceof Unavailable) return null;
    throw error;
  }
}
