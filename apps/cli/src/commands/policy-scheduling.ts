import type { Command } from 'commander';
import type { InputOf } from '#contracts/contract.js';
import { PAGE_ROWS_MAX } from '#contracts/names.js';
import {
  policyDue,
  policyResumeScheduling,
  policyRetentionLevelPut,
  policyRetentionLevels,
  policySuspendScheduling,
  policyUserBackup,
  retentionLevel,
  type DueEntry,
  type RetentionLevel,
  type Suspension,
} from '#contracts/policy.js';
import { RETENTION_LEVEL_MAX } from '#contracts/schedule.js';
import { uuidv7 } from '#kernel/ids.js';
import type { Cli } from '../cli.js';
import type { Cluster } from '../cluster/cluster.js';
import { UsageError } from '../exit-codes.js';
import { wholeNumber } from '../input/numbers.js';
import { localPath } from '../input/paths.js';
import { parseTime } from '../input/time.js';
import type { Column } from '../output/table.js';
import { formatTime } from '../output/time.js';

const LIMIT_MAX = 1_000_000;

const DUE_COLUMNS: readonly Column<DueEntry>[] = [
  { title: 'DUE', cell: ({ dueAt }) => formatTime(dueAt) },
  { title: 'POLICY', cell: ({ policy }) => policy },
  { title: 'SCHEDULE', cell: ({ schedule }) => schedule },
  { title: 'CLIENT', cell: ({ client }) => client },
  { title: 'CLOSES', cell: ({ closesAt }) => formatTime(closesAt) },
  { title: 'REASON', cell: ({ reason }) => reason },
];

const LEVEL_COLUMNS: readonly Column<RetentionLevel & { isDefault: boolean }>[] = [
  { title: 'LEVEL', right: true, cell: ({ level }) => level },
  { title: 'PERIOD', cell: ({ period }) => period },
  { title: 'SOURCE', cell: ({ isDefault }) => (isDefault ? 'default' : 'set') },
];

interface DueOptions {
  readonly at?: string;
  readonly policy?: string;
  readonly client?: string;
  readonly limit: number;
}

interface UserOptions {
  readonly client?: string;
  readonly policy?: string;
  readonly schedule?: string;
}

/** What is due, what holds it back, and what users of clients may start. */
export function defineScheduling(command: Command, cli: () => Cli): void {
  command
    .command('due')
    .description('show when what is due next, and why')
    .option('--at <time>', 'only what is due by then, past or future')
    .option('--policy <name>', 'of this policy only')
    .option('--client <name>', 'of this client only')
    .option(
      ...(['--limit <n>', 'at most so many'] as const),
      ...([wholeNumber('--limit', 1, LIMIT_MAX), PAGE_ROWS_MAX] as const),
    )
    .action((options: DueOptions) => due(cli(), options));
  command
    .command('suspend-scheduling')
    .description('start nothing by itself any more')
    .argument('[policy]', 'of this policy only')
    .action((policy?: string) => suspend(cli(), policy));
  command
    .command('resume-scheduling')
    .description('take a suspend-scheduling back')
    .argument('[policy]', 'of this policy only')
    .action((policy?: string) => resume(cli(), policy));
  command
    .command('user-backup')
    .description('start a backup for the user of a client, within the windows of a user schedule')
    .argument(
      '[path...]',
      'what to back up, relative ones from here (default: what the policy selects)',
    )
    .option('--client <name>', 'the client (default: this machine)')
    .option('--policy <name>', 'default: the first one that allows it now')
    .option('--schedule <name>', 'its schedule of type user')
    .action((paths: string[], options: UserOptions) => userBackup(cli(), paths, options));
  command
    .command('retention-levels')
    .description('list what the retention levels stand for')
    .action(() => levels(cli()));
  command
    .command('retention-level')
    .description('change what a retention level stands for')
    .argument(
      '<level>',
      `0 to ${RETENTION_LEVEL_MAX}`,
      wholeNumber('A level', 0, RETENTION_LEVEL_MAX),
    )
    .argument('<period>', 'such as 4w, or infinite')
    .action((level: number, period: string) => putLevel(cli(), level, period));
}

/** What a person should know before looking for something that does not start. */
export function suspensionRemarks(suspensions: readonly Suspension[]): string[] {
  return suspensions.map(({ policy, since }) => {
    const what = policy === null ? 'of the whole cluster' : `of policy ${policy}`;
    const command = ['holdfast policy resume-scheduling', policy ?? ''].join(' ').trim();
    return `Scheduling ${what} is suspended since ${formatTime(since)}. Resume it with: ${command}`;
  });
}

async function due(cli: Cli, { at, limit, ...filter }: DueOptions): Promise<void> {
  const by = at === undefined ? {} : { at: parseTime(at, cli.now()).toISOString() };
  const answer = await cli.withCluster((cluster) => readDue(cluster, { ...filter, ...by }, limit));
  cli.answer(answer, (output) => {
    if (answer.due.length > 0) output.table(DUE_COLUMNS, answer.due);
    else output.line(at === undefined ? 'Nothing is planned.' : 'Nothing is due by then.');
    if (answer.next !== null) {
      output.remark(`${answer.due.length} of ${answer.total}. Show more with --limit.`);
    }
    for (const remark of suspensionRemarks(answer.suspensions)) output.remark(remark);
  });
}

async function readDue(cluster: Cluster, filter: InputOf<typeof policyDue>, limit: number) {
  let answer = await cluster.ask(policyDue, { ...filter, limit: Math.min(limit, PAGE_ROWS_MAX) });
  const due = [...answer.due];
  while (answer.next !== null && due.length < limit) {
    const rows = Math.min(limit - due.length, PAGE_ROWS_MAX);
    answer = await cluster.ask(policyDue, { ...filter, limit: rows, after: answer.next });
    due.push(...answer.due);
  }
  return { ...answer, due };
}

async function suspend(cli: Cli, policy: string | undefined): Promise<void> {
  const answer = await cli.withCluster((cluster) =>
    cluster.ask(policySuspendScheduling, { policy }),
  );
  cli.answer(answer, (output) => {
    const what = policy === undefined ? 'Nothing' : `Nothing of policy ${policy}`;
    output.line(`${what} starts by itself any more; what runs goes on.`);
    for (const remark of suspensionRemarks(answer.suspensions)) output.remark(remark);
  });
}

async function resume(cli: Cli, policy: string | undefined): Promise<void> {
  const answer = await cli.withCluster((cluster) =>
    cluster.ask(policyResumeScheduling, { policy }),
  );
  cli.answer(answer, (output) => {
    output.line(`Scheduling${policy === undefined ? '' : ` of policy ${policy}`} goes on.`);
    for (const remark of suspensionRemarks(answer.suspensions)) output.remark(remark);
  });
}

async function userBackup(cli: Cli, paths: string[], options: UserOptions): Promise<void> {
  const selections = paths.map((path) => localPath(path, cli.world.workingFolder));
  await cli.withCluster(async (cluster) => {
    const client = options.client ?? cluster.address.client;
    const answer = await cluster.submit(policyUserBackup, {
      ...{ ...options, client, requestId: uuidv7(cli.now()) },
      ...(paths.length === 0 ? {} : { selections }),
    });
    cli.answer(answer, (output) => {
      const { job, policy, schedule } = answer;
      output.line(`Job ${job} backs up ${client} (policy ${policy}, schedule ${schedule}).`);
      output.line(`Watch it with: holdfast jobs watch ${job}`);
    });
  });
}

async function levels(cli: Cli): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(policyRetentionLevels, {}));
  cli.answer(answer, (output) => output.table(LEVEL_COLUMNS, answer.levels));
}

async function putLevel(cli: Cli, level: number, period: string): Promise<void> {
  const parsed = retentionLevel.safeParse({ level, period });
  if (!parsed.success) {
    throw new UsageError(
      `"${period}" is no period. Write a length of time such as 4w, or infinite.`,
      'period',
    );
  }
  const answer = await cli.withCluster((cluster) =>
    cluster.ask(policyRetentionLevelPut, parsed.data),
  );
  cli.answer(answer, (output) =>
    output.line(`Level ${level} stands for ${period}; images that are there keep their date.`),
  );
}
