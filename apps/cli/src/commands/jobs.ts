import type { Command } from 'commander';
import { jobPriority, jobState, jobType, type JobState, type JobType } from '#contracts/job.js';
import type { Cli } from '../cli.js';
import { UsageError } from '../exit-codes.js';
import { wholeNumber } from '../input/numbers.js';
import { MORE_ROWS } from '../input/pages.js';
import { parseTime } from '../input/time.js';
import { jobColumns } from '../job/job-table.js';
import { readJobs, withChildren } from '../job/read-jobs.js';

interface ListOptions {
  readonly state?: JobState;
  readonly type?: JobType;
  readonly client?: string;
  readonly policy?: string;
  readonly schedule?: string;
  readonly status?: number | 'failed';
  readonly parent?: number;
  readonly since?: string;
  readonly until?: string;
  readonly storage?: string;
  readonly media?: string;
  readonly columns?: string;
  readonly tree?: true;
  readonly limit: number;
}

const LIMIT_MAX = 100_000;
const LIMIT_DEFAULT = 50;
const jobNumber = wholeNumber('A job number', 1, Number.MAX_SAFE_INTEGER);
const priorityNumber = wholeNumber('A priority', 0, jobPriority.maxValue ?? 0);
const jobNumbers = (text: string, before: readonly number[] = []) => [...before, jobNumber(text)];

export function define(command: Command, cli: () => Cli): void {
  command
    .option('--state <state>', jobState.options.join(', '), oneOf('state', jobState))
    .option('--type <type>', jobType.options.join(', '), oneOf('type', jobType))
    .option('--client <name>', 'jobs of this client')
    .option('--policy <name>', 'jobs of this policy')
    .option('--schedule <name>', 'jobs of this schedule')
    .option('--status <status>', 'that ended with this status, or: failed', statusOf)
    .option('--parent <job>', 'children of this job', jobNumber)
    .option('--since <time>', 'made then or later')
    .option('--until <time>', 'made before')
    .option('--storage <name>', 'to this storage unit, or pool')
    .option('--media <name>', 'on this media server')
    .option('--columns <names>', 'all, most, or names with commas, as bpdbjobs has them')
    .option('--tree', 'children below their parents')
    .option('--limit <n>', 'at most so many', wholeNumber('--limit', 1, LIMIT_MAX), LIMIT_DEFAULT)
    .action((options: ListOptions) => list(cli(), options));
  defineViews(command, cli);
  defineChanges(command, cli);
}

function defineViews(command: Command, cli: () => Cli): void {
  command
    .command('show')
    .description('show one job with its children, its attempts and its log')
    .argument('<job>', 'its number', jobNumber)
    .action(async (job: number) => {
      const { showJob } = await import('../job/show-job.js');
      await showJob(cli(), job);
    });
  command
    .command('summary')
    .description('how many jobs are in each state, and how those of the last day ended')
    .option('-L, --long', 'a line for each')
    .action(async ({ long }: { long?: true }) => {
      const { summarizeJobs } = await import('../job/jobs-summary.js');
      await summarizeJobs(cli(), { long: long ?? false });
    });
  command
    .command('watch')
    .description('follow one job, or all')
    .argument('[job]', 'its number; without it: every job, until ctrl-C', jobNumber)
    .action((job: number | undefined) => watch(cli(), job));
}

function defineChanges(command: Command, cli: () => Cli): void {
  const changes = () => import('../job/change-jobs.js');
  const all = (name: string, description: string) =>
    command
      .command(name)
      .description(description)
      .argument('<job...>', 'their numbers', jobNumbers);
  all('cancel', 'end jobs with status 150').action(async (jobs: number[]) =>
    (await changes()).commandJobs(cli(), 'cancel', jobs),
  );
  all('suspend', 'stop jobs and keep what they have committed').action(async (jobs: number[]) =>
    (await changes()).commandJobs(cli(), 'suspend', jobs),
  );
  all('resume', 'go on with jobs that are suspended or incomplete').action(async (jobs: number[]) =>
    (await changes()).commandJobs(cli(), 'resume', jobs),
  );
  all('restart', 'run jobs again, under new numbers; open ones are cancelled').action(
    async (jobs: number[]) => (await changes()).restartJobs(cli(), jobs),
  );
  command
    .command('priority')
    .description('change the priority of a job that is not done')
    .argument('<job>', 'its number', jobNumber)
    .argument('<priority>', '0 to 99999; the higher one comes first', priorityNumber)
    .action(async (job: number, priority: number) =>
      (await changes()).changePriority(cli(), job, priority),
    );
}

async function list(cli: Cli, options: ListOptions): Promise<void> {
  const { limit, columns, tree, since, until, media: mediaId, ...filter } = options;
  const at = (text: string | undefined) => text && parseTime(text, cli.now()).toISOString();
  const shown = columns === undefined ? jobColumns(cli.now()) : await chosen(columns, cli.now());
  await cli.withCluster(async (cluster) => {
    const wanted = { ...filter, mediaId, since: at(since), until: at(until) };
    const { rows, more } = await readJobs(cluster, wanted, limit);
    const jobs = tree ? await withChildren(cluster, rows) : rows;
    cli.answer({ jobs }, (output) => {
      if (jobs.length > 0) output.table(shown, jobs);
      else output.line('No jobs.');
      if (more) output.remark(MORE_ROWS);
    });
  });
}

async function chosen(columns: string, now: Date) {
  const { fieldColumns } = await import('../job/job-fields.js');
  return fieldColumns(columns, now);
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

function oneOf<T extends string>(
  name: string,
  known: { readonly options: readonly T[] },
): (text: string) => T {
  return (text) => {
    const found = known.options.find((option) => option === text);
    if (found !== undefined) return found;
    throw new UsageError(`--${name} is ${known.options.join(', ')}, not "${text}".`, name);
  };
}

function statusOf(text: string): number | 'failed' {
  return text === 'failed' ? text : wholeNumber('--status', 0, 1_000_000_000)(text);
}
