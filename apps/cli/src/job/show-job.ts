import { jobsGet, type JobAttempt, type JobView, type LogLine } from '#contracts/job.js';
import type { DueEntry } from '#contracts/policy.js';
import { statusText } from '#kernel/status.js';
import type { Cli } from '../cli.js';
import { printable } from '../output/printable.js';
import { fieldLines } from '../output/table.js';
import { formatTime } from '../output/time.js';
import { readLog } from './job-log.js';
import { jobColumns, jobFields } from './job-table.js';
import { nextRun } from './next-run.js';
import { readChildren } from './read-jobs.js';

/** One job in detail: its family, and each attempt with its part of the log. */
export async function showJob(cli: Cli, job: number): Promise<void> {
  await cli.withCluster(async (cluster) => {
    const { job: view, logLines, attempts } = await cluster.ask(jobsGet, { job });
    const log = await readLog(cluster, job);
    const children = view.children > 0 ? await readChildren(cluster, job) : [];
    const next = await nextRun(cluster, view);
    cli.answer({ job: view, children, attempts, next, log, logLines }, (output) => {
      output.lines(fieldLines([...jobFields(view, cli.now()), ...nextFields(view, next)]));
      if (children.length > 0) output.line();
      if (children.length > 0) output.table(jobColumns(cli.now()), children);
      for (const line of attemptBlocks(attempts, log)) output.line(line);
    });
  });
}

/** When its policy runs it again or, of one that has not ended, goes on with it; and why then. */
export function nextFields(
  { job, parent, state }: Pick<JobView, 'job' | 'parent' | 'state'>,
  next: DueEntry | null,
): [string, string][] {
  if (!next) return [];
  const { dueAt, goesOn, reason } = next;
  const isNever = dueAt === null || (state === 'incomplete' && goesOn !== (parent ?? job));
  const when = isNever ? 'not by itself' : formatTime(dueAt);
  return [[state === 'incomplete' ? 'Goes on' : 'Run again', `${when}: ${reason}`]];
}

/** An empty line, a heading and the log of each attempt, in order. */
export function attemptBlocks(attempts: readonly JobAttempt[], log: readonly LogLine[]): string[] {
  const ended = new Map(attempts.map((one) => [one.attempt, one]));
  const numbers = [...new Set(log.map(({ attempt }) => attempt))].sort((a, b) => a - b);
  return numbers.flatMap((number) => [
    '',
    heading(number, ended.get(number)),
    ...log.filter(({ attempt }) => attempt === number).map(logText),
  ]);
}

function heading(number: number, ended: JobAttempt | undefined): string {
  if (!ended) return `Attempt ${number}`;
  const { startedAt, endedAt, status, mediaId } = ended;
  const where = mediaId ? ` on ${mediaId}` : '';
  const from = startedAt ? `${formatTime(startedAt)} to ` : 'ended ';
  return `Attempt ${number}${where}: ${from}${formatTime(endedAt)}, status ${status}, ${statusText(status)}`;
}

function logText({ at, process, host, pid, severity, text }: LogLine): string {
  const who = host === undefined ? process : `${process}@${host}`;
  const kind = severity === 'info' ? '' : `${severity}: `;
  return printable(`${formatTime(at)}  ${who}(${pid})  ${kind}${text}`);
}
