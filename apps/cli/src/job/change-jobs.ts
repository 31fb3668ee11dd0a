import { jobsCancel, type JobView } from '#contracts/job.js';
import { jobsPriority, jobsRestart, jobsResume, jobsSuspend } from '#contracts/jobs/commands.js';
import { uuidv7 } from '#kernel/ids.js';
import { messageOf, PermanentError } from '#kernel/errors.js';
import type { Cli } from '../cli.js';
import type { Cluster } from '../cluster/cluster.js';
import { EXIT } from '../exit-codes.js';

/** What a command about one job answered, and the words for it. */
interface Changed {
  readonly answer: object;
  readonly words: string;
}

type Change = (cluster: Cluster, job: number) => Promise<Changed>;

const COMMANDS = {
  cancel: { endpoint: jobsCancel, words: 'is being cancelled' },
  suspend: { endpoint: jobsSuspend, words: 'is suspended' },
  resume: { endpoint: jobsResume, words: 'goes on' },
} as const;

/** Cancels, suspends or resumes jobs, one after the other. */
export function commandJobs(
  cli: Cli,
  command: keyof typeof COMMANDS,
  jobs: readonly number[],
): Promise<void> {
  const { endpoint, words } = COMMANDS[command];
  return each(cli, jobs, async (cluster, job) => {
    const answer = await cluster.ask(endpoint, { job });
    return { answer, words: stateWords(answer.job, words) };
  });
}

export function restartJobs(cli: Cli, jobs: readonly number[]): Promise<void> {
  return each(cli, jobs, async (cluster, job) => {
    const requestId = uuidv7(cli.now());
    const answer = await cluster.submit(jobsRestart, { job, requestId });
    const words = `Job ${job} is run again as job ${answer.job}. Watch it with: holdfast jobs watch ${answer.job}`;
    return { answer, words };
  });
}

export function changePriority(cli: Cli, job: number, priority: number): Promise<void> {
  return each(cli, [job], async (cluster) => {
    const answer = await cluster.ask(jobsPriority, { job, priority });
    return { answer, words: `Job ${job} has priority ${answer.job.priority}.` };
  });
}

function stateWords({ job, state, status, statusText }: JobView, words: string): string {
  if (state === 'done') return `Job ${job} is done: status ${status}, ${statusText}.`;
  return `Job ${job} ${words}.`;
}

/** A refusal about one job is no reason to leave out the others; the exit code tells of it. */
async function each(cli: Cli, jobs: readonly number[], change: Change): Promise<void> {
  await cli.withCluster(async (cluster) => {
    for (const job of jobs) {
      try {
        const { answer, words } = await change(cluster, job);
        if (cli.output.json && jobs.length > 1) cli.output.record(answer);
        else cli.answer(answer, (output) => output.line(words));
      } catch (error) {
        if (jobs.length === 1 || !(error instanceof PermanentError)) throw error;
        cli.exitCode = EXIT.failed;
        if (cli.output.json)
          cli.output.record({ job, error: { status: error.status, message: error.message } });
        cli.output.remark(messageOf(error));
      }
    }
  });
}
