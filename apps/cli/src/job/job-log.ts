import { jobsGet, type LogLine } from '#contracts/job.js';
import type { Cluster } from '../cluster/cluster.js';

/** A whole log is read up to this many lines; the rest is counted only. */
const LINES_MAX = 100_000;

/** A job's log from its first line on, page by page. */
export async function readLog(cluster: Cluster, job: number): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for (;;) {
    const { log, logLines } = await cluster.ask(jobsGet, { job, logAfter: lines.length });
    lines.push(...log);
    if (log.length === 0 || lines.length >= Math.min(logLines, LINES_MAX)) return lines;
  }
}

/** What a person should read when the job is over: warnings and errors. */
export function notesOf(log: readonly LogLine[]): LogLine[] {
  return log.filter(({ severity }) => severity !== 'info');
}
