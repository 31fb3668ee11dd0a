import { jobsCancel, type JobView } from '#contracts/job.js';
import type { Cli } from '../cli.js';
import type { Cluster } from '../cluster/cluster.js';
import { EXIT, exitCodeOfStatus } from '../exit-codes.js';
import { Progress } from '../output/progress.js';
import { formatFiles, formatSize } from '../output/size.js';
import { followJob, hasEnded } from './follow-job.js';
import { notesOf, readLog } from './job-log.js';
import { reportLines } from './job-report.js';

/** How long a cancelled job may take to end while someone looks on. */
const CANCEL_MS_MAX = 20_000;

export interface WaitOptions {
  readonly job: number;
  /** Ctrl-C: the job goes on without an onlooker, or it is cancelled. */
  readonly onInterrupt: 'detach' | 'cancel';
  /** Where a restore puts its files, for the last words. */
  readonly destination?: string;
}

/**
 * Waits for a job's end, shows how it comes along and says how it ended; sets the exit code. With
 * `--json`: `{type: "progress", job}` lines and at last `{type: "result", job, notes, exitCode}`.
 */
export async function waitForJob(cli: Cli, cluster: Cluster, options: WaitOptions): Promise<void> {
  const interrupted = new AbortController();
  const off = cli.world.onInterrupt(() => interrupted.abort());
  const progress = new Progress(cli.output, cli.world.clock);
  const follow = (signal: AbortSignal) =>
    followJob(cluster, options.job, {
      clock: cli.world.clock,
      signal,
      onView: (view) => progress.show(view),
      onSilence: () => {
        progress.end();
        cli.output.remark('The cluster does not answer. Waiting for it to come back ...');
      },
    }).finally(() => progress.end());
  try {
    const last = await follow(interrupted.signal);
    if (last && hasEnded(last)) return await sayHowItEnded(cli, cluster, { last, options });
    cli.exitCode = EXIT.interrupted;
    if (options.onInterrupt === 'detach') return sayThatItGoesOn(cli, options.job);
    await cancel(cli, cluster, { options, follow });
  } finally {
    off();
  }
}

async function sayHowItEnded(
  cli: Cli,
  cluster: Cluster,
  { last, options }: { last: JobView; options: WaitOptions },
): Promise<void> {
  const notes = notesOf(await readLog(cluster, options.job));
  const exitCode = last.state === 'done' ? exitCodeOfStatus(last.status ?? 0) : EXIT.failed;
  cli.exitCode = exitCode;
  if (cli.output.json) {
    cli.output.record({ type: 'result', job: last, notes, exitCode });
    return;
  }
  const lines = reportLines(last, notes, options.destination);
  if (exitCode === EXIT.failed) lines.forEach((line) => cli.output.remark(line));
  else cli.output.lines(lines);
}

/** The last words about a job that nobody waits for any more. */
export function sayThatItGoesOn(cli: Cli, job: number): void {
  if (cli.output.json) cli.output.record({ type: 'detached', job });
  cli.output.remark(`Job ${job} goes on. Watch it with: holdfast jobs watch ${job}`);
  cli.output.remark(`Cancel it with: holdfast jobs cancel ${job}`);
}

async function cancel(
  cli: Cli,
  cluster: Cluster,
  { options, follow }: { options: WaitOptions; follow: Follow },
): Promise<void> {
  const { job } = options;
  cli.output.remark(`Cancelling job ${job} ... (ctrl-C again: do not wait for that)`);
  const answer = await cluster.ask(jobsCancel, { job });
  const timer = AbortSignal.timeout(CANCEL_MS_MAX);
  const last = (answer.job.state === 'done' ? answer.job : await follow(timer)) ?? answer.job;
  if (cli.output.json) {
    cli.output.record({ type: 'result', job: last, notes: [], exitCode: EXIT.interrupted });
    return;
  }
  const { files, bytes } = last.progress;
  const how = last.state === 'done' ? `ended with status ${last.status}` : 'has not ended yet';
  const left =
    files > 0
      ? `${formatFiles(files)} (${formatSize(bytes)}) were restored before; they stay in ${options.destination}.`
      : `Nothing was restored yet; ${options.destination} may hold empty folders.`;
  cli.output.remark(`Job ${job} ${how}. ${left}`);
}

type Follow = (signal: AbortSignal) => Promise<JobView | undefined>;
