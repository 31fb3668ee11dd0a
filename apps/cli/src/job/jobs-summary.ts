import { hostname } from 'node:os';
import type { ResponseOf } from '#contracts/contract.js';
import { jobsSummary } from '#contracts/jobs/summary.js';
import type { Cli } from '../cli.js';
import { fieldLines, type Column } from '../output/table.js';

type Summary = ResponseOf<typeof jobsSummary>;

const COLUMNS: readonly Column<Summary>[] = [
  { title: 'QUEUED', right: true, cell: ({ queued }) => queued },
  { title: 'REQUEUED', right: true, cell: ({ waitingForRetry }) => waitingForRetry },
  { title: 'ACTIVE', right: true, cell: ({ active }) => active },
  { title: 'SUCCESS', right: true, cell: ({ successful }) => successful },
  { title: 'PARTIAL', right: true, cell: ({ partial }) => partial },
  { title: 'FAILED', right: true, cell: ({ failed }) => failed },
  { title: 'INCOMPLETE', right: true, cell: ({ incomplete }) => incomplete },
  { title: 'SUSPENDED', right: true, cell: ({ suspended }) => suspended },
  { title: 'TOTAL', right: true, cell: ({ total }) => total },
];

/** As `bpdbjobs -summary`, and with `long` as its `-L`. */
export async function summarizeJobs(cli: Cli, { long }: { long: boolean }): Promise<void> {
  const summary = await cli.withCluster((cluster) => cluster.ask(jobsSummary, {}));
  cli.answer(summary, (output) => {
    if (long) output.lines(fieldLines(longFields(summary)));
    else output.table(COLUMNS, [summary]);
  });
}

function longFields(summary: Summary): (readonly [string, string | number])[] {
  const of = `(last ${summary.hours} h)`;
  return [
    ['Summary of jobs on', hostname()],
    ['Queued', summary.queued],
    ['Waiting-to-Retry', summary.waitingForRetry],
    ['Active', summary.active],
    [`Successful ${of}`, summary.successful],
    [`Partially Successful ${of}`, summary.partial],
    [`Failed ${of}`, summary.failed],
    ['Incomplete', summary.incomplete],
    ['Suspended', summary.suspended],
    ['Total', summary.total],
  ];
}
