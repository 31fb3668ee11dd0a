import type { InputOf } from '#contracts/contract.js';
import { jobsList, type JobView } from '#contracts/job.js';
import { PAGE_ROWS_MAX } from '#contracts/names.js';
import type { Cluster } from '../cluster/cluster.js';
import { readPages, type Rows } from '../input/pages.js';

export type JobFilter = Omit<InputOf<typeof jobsList>, 'before' | 'limit'>;

/** The newest `limit` jobs that fit. */
export function readJobs(
  cluster: Cluster,
  filter: JobFilter,
  limit: number,
): Promise<Rows<JobView>> {
  return readPages<JobView>(limit, async (rows, last) => {
    const page = { ...filter, before: last?.job, limit: rows };
    const { jobs, more } = await cluster.ask(jobsList, page);
    return { rows: jobs, more };
  });
}

/** A parent has at most a hundred children; in the order of its streams. */
export async function readChildren(cluster: Cluster, parent: number): Promise<JobView[]> {
  return (await readJobs(cluster, { parent }, PAGE_ROWS_MAX)).rows.reverse();
}

/** Each parent is followed by its children, whether they were among the jobs or not. */
export async function withChildren(cluster: Cluster, jobs: readonly JobView[]): Promise<JobView[]> {
  const parents = new Set(jobs.filter(({ children }) => children > 0).map(({ job }) => job));
  const rows: JobView[] = [];
  for (const job of jobs) {
    if (job.parent !== null && parents.has(job.parent)) continue;
    rows.push(job);
    if (job.children > 0) rows.push(...(await readChildren(cluster, job.job)));
  }
  return rows;
}
