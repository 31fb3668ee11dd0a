import type { JobView } from '#contracts/job.js';
import {
  JOB_ORIGIN_NUMBERS,
  JOB_STATE_NUMBERS,
  JOB_TYPE_NUMBERS,
} from '#contracts/jobs/numbers.js';
import { UsageError } from '../exit-codes.js';
import { shareOf } from '../output/progress.js';
import type { Column } from '../output/table.js';
import { formatElapsed, formatTime } from '../output/time.js';

type Cell = string | number | null;
type Field = (job: JobView, now: Date) => Cell;

/** The numbers that the field knows kinds of backups by. */
const KIND_NUMBERS = { full: 0, differential: 1, cumulative: 4 } as const;
const KIB = 1_024;
const flag = (is: boolean) => (is ? 1 : 0);
const kib = (bytes: number) => Math.ceil(bytes / KIB);

/**
 * The columns of `bpdbjobs -most_columns` and `-all_columns` that mean something here, under their
 * names and in their order, with the field's numbers for states and types.
 */
const MOST: Readonly<Record<string, Field>> = {
  jobid: ({ job }) => job,
  jobtype: ({ type }) => JOB_TYPE_NUMBERS[type],
  state: ({ state }) => JOB_STATE_NUMBERS[state],
  status: ({ status }) => status,
  policy: ({ policy }) => policy,
  schedule: ({ schedule }) => schedule,
  client: ({ client }) => client,
  server: ({ mediaId }) => mediaId,
  started: ({ startedAt }) => formatTime(startedAt),
  elapsed: ({ startedAt, endedAt }, now) => formatElapsed(startedAt, endedAt, now),
  ended: ({ endedAt }) => formatTime(endedAt),
  stunit: ({ storage }) => storage,
  try: ({ attempt }) => attempt,
  operation: ({ operation }) => operation,
  kbytes: ({ progress }) => kib(progress.bytes),
  files: ({ progress }) => progress.files,
  pathlastwritten: ({ progress }) => progress.currentPath,
  percent: percentOf,
};

const ALL: Readonly<Record<string, Field>> = {
  ...MOST,
  subtype: ({ origin }) => JOB_ORIGIN_NUMBERS[origin],
  schedtype: ({ kind }) => kind && KIND_NUMBERS[kind],
  priority: ({ priority }) => priority,
  retentionperiod: ({ retention }) => retention,
  kbytestobewritten: ({ expected }) => expected && kib(expected.bytes),
  filestobewritten: ({ expected }) => expected && expected.files,
  trycount: ({ tries }) => tries,
  parentjob: ({ parent }) => parent,
  kbpersec: rateOf,
  stream: ({ stream }) => stream,
  suspendable: ({ state }) => flag(['queued', 'active', 'waiting-for-retry'].includes(state)),
  resumable: ({ state }) => flag(['suspended', 'incomplete', 'waiting-for-retry'].includes(state)),
  restartable: () => 1,
  backupid: ({ imageId }) => imageId,
  killable: ({ state }) => flag(state !== 'done'),
  queuereason: ({ waitReason }) => waitReason,
  reasonstring: ({ message }) => message,
};

/** What has no column there, or its number only. */
const OTHERS: Readonly<Record<string, Field>> = {
  type: ({ type }) => type,
  statename: ({ state }) => state,
  kind: ({ kind }) => kind,
  origin: ({ origin }) => origin,
  keyword: ({ keyword }) => keyword,
  children: ({ children }) => children,
  created: ({ createdAt }) => formatTime(createdAt),
};

const NUMBERS: ReadonlySet<string> = new Set([
  ...['jobid', 'jobtype', 'state', 'status', 'elapsed', 'try', 'kbytes', 'files', 'percent'],
  ...['subtype', 'schedtype', 'priority', 'kbytestobewritten', 'filestobewritten', 'trycount'],
  ...['parentjob', 'kbpersec', 'stream', 'suspendable', 'resumable', 'restartable', 'killable'],
]);

/** `all`, `most`, or names with commas in between. Throws `UsageError`, which lists the names. */
export function fieldColumns(choice: string, now: Date): Column<JobView>[] {
  return namesOf(choice).map((name) => ({
    title: name.toUpperCase(),
    right: NUMBERS.has(name),
    cell: (job) => fieldOf(name)!(job, now),
  }));
}

function namesOf(choice: string): string[] {
  if (choice === 'all') return Object.keys(ALL);
  if (choice === 'most') return Object.keys(MOST);
  const names = choice.split(',').map((name) => name.trim().toLowerCase());
  const unknown = names.find((name) => fieldOf(name) === undefined);
  if (unknown === undefined) return names;
  const known = [...Object.keys(ALL), ...Object.keys(OTHERS)].join(', ');
  throw new UsageError(
    `There is no column "${unknown}". There are all, most, ${known}.`,
    'columns',
  );
}

function fieldOf(name: string): Field | undefined {
  return Object.hasOwn(ALL, name)
    ? ALL[name]
    : Object.hasOwn(OTHERS, name)
      ? OTHERS[name]
      : undefined;
}

function percentOf(job: JobView): number | null {
  if (job.state === 'done') return 100;
  const share = shareOf(job);
  return share === null ? null : Math.floor(share * 100);
}

function rateOf({ startedAt, endedAt, progress }: JobView, now: Date): number | null {
  if (startedAt === null) return null;
  const ms = (endedAt ? Date.parse(endedAt) : now.getTime()) - Date.parse(startedAt);
  return ms < 1 ? null : Math.round(kib(progress.bytes) / (ms / 1_000));
}
