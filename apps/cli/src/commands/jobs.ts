import type { Command } from 'commander';
import {
  jobsCancel,
  jobsGet,
  jobsList,
  jobState,
  type JobState,
  type JobView,
} from '#contracts/job.js';
import type { Cli } from '../cli.js';
import { UsageError } from '../exit-codes.js';
import { wholeNumber } from '../input/numbers.js';
import { readPages } from '../input/pages.js';
import { readLog } from '../job/job-log.js';
import { jobColumns, jobFields } from '../job/job-table.js';
import { printable } from '../output/printable.js';
import { fieldLines } from '../output/table.js';
import { formatTime } from '../output/time.js';

interface ListOptions {
  readonly state?: JobState;
  readonly client?: string;
  readonly policy?: string;
  readonly limit: number;
}

const LIMIT_MAX = 100_000;
const LIMIT_DEFAULT = 50;
const jobNumber = wholeNumber('A job number', 1, Number.MAX_SAFE_INTEGER);

export function define(command: Command, cli: () => Cli): void {
  command
    .option('--state <state>', 'queued, active or done', stateOf)
    .option('--client <name>', 'jobs of this client')
    .option('--policy <name>', 'jobs of this policy')
    .option('--limit <n>', 'at most so many', wholeNumber('--limit', 1, LIMIT_MAX), LIMIT_DEFAULT)
    .action((options: ListOptions) => list(cli(), options));
  command
    .command('show')
    .description('show one job with its log')
    .argument('<job>', 'its number', jobNumber)
    .action((job: number) => show(cli(), job));
  command
    .command('watch')
    .description('follow one job, or all')
    .argument('[job]', 'its number; without it: every job, until ctrl-C', jobNumber)
    .action((job: number | undefined) => watch(cli(), job));
  command
    .command('cancel')
    .description('end a job with status 150')
    .argument('<job>', 'its number', jobNumber)
    .action((job: number) => cancel(cli(), job));
}

async function list(cli: Cli, { limit, ...filter }: ListOptions): Promise<void> {
  await cli.withCluster(async (cluster) => {
    const jobs = await readPages<JobView>(limit, async (rows, last) => {
      const page = { ...filter, before: last?.job, limit: rows };
      return (await cluster.ask(jobsList, page)).jobs;
    });
    cli.answer({ jobs }, (output) => {
      if (jobs.length > 0) output.table(jobColumns(cli.now()), jobs);
      else output.line('No jobs.');
    });
  });
}

async function show(cli: Cli, job: number): Promise<void> {
  await cli.withCluster(async (cluster) => {
    const { job: view, logLines } = await cluster.ask(jobsGet, { job });
    const log = await readLog(cluster, job);
    cli.answer({ job: view, log, logLines }, (output) => {
      output.lines(fieldLines(jobFields(view, cli.now())));
      output.line();
      for (const line of log) {
        const severity = line.severity === 'info' ? '' : `${line.severity}: `;
        output.line(
          `${formatTime(line.at)}  ${line.process}(${line.pid})  ${severity}${printable(line.text)}`,
        );
      }
    });
  });
}

async function watch(cli: Cli, job: number | undefined): Promise<void> {
  await cli.withCluster(async (cluster) => {
    if (job === undefined) {
      const { watchAllJobs } = await import('../job/watch-all-jobs.js');
      return watchAllJobs(cli, cluster);
    }
    const { waitForJob } = await import('../job/wait-for-job.js');
    await waitForJob(cli, cluster, { job, onInterrupt: 'detach' });
  });
}

async function cancel(cli: Cli, job: number): Promise<void> {
  await cli.withCluster(async (cluster) => {
    const answer = await cluster.ask(jobsCancel, { job });
    cli.answer(answer, (output) => {
      const { state, status, statusText } = answer.job;
      if (state !== 'done') output.line(`Job ${job} is being cancelled.`);
      else output.line(`Job ${job} is done: status ${status}, ${statusText}.`);
    });
  });
}

function stateOf(text: string): JobState {
  const state = jobState.safeParse(text);
  if (state.success) return state.data;
  throw new UsageError(`--state is queued, active or done, not "${text}".`, 'state');
}
