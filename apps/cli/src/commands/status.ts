import type { Command } from 'commander';
import { healthEndpoint, type HealthReport } from '#contracts/health.js';
import type { Cli } from '../cli.js';
import type { Cluster } from '../cluster/cluster.js';
import { EXIT } from '../exit-codes.js';
import { formatSize } from '../output/size.js';
import type { Column } from '../output/table.js';
import { formatElapsed } from '../output/time.js';

const SERVICES = ['policy', 'jobs', 'broker', 'catalog', 'media', 'agent'] as const;
/** All instances of a service may answer, so the whole time is waited out. */
const ANSWER_MS = 800;

interface ServiceRow {
  readonly service: string;
  readonly report: HealthReport | undefined;
}

export function define(command: Command, cli: () => Cli): void {
  command.action(() => status(cli()));
}

/** Exit code 0 only if every service answers and says that it is well. */
async function status(cli: Cli): Promise<void> {
  await cli.withCluster(async (cluster) => {
    const rows = (await Promise.all(SERVICES.map((name) => ask(cluster, name)))).flat();
    const roundTripMs = await cluster.nats.connection.rtt();
    const well = rows.every(isWell);
    if (!well) cli.exitCode = EXIT.unavailable;
    const { running, natsUrl } = cluster.address;
    const nats = { url: natsUrl, version: cluster.nats.connection.info?.version, roundTripMs };
    const services = rows.map(({ service, report }) => report ?? { service, missing: true });
    cli.answer({ well, cluster: running ?? null, nats, services }, (output) => {
      if (running) {
        const since = formatElapsed(running.startedAt, null, cli.now());
        output.line(`Holdfast ${running.version}, up for ${since}, process ${running.pid}`);
        output.line(`Data folder  ${running.dataFolder}`);
      }
      output.line(`NATS         ${natsUrl}, nats-server ${nats.version}, ${roundTripMs} ms away`);
      output.line(`PostgreSQL   ${databaseText(rows)}`);
      output.line();
      output.table(columns(cli.now()), rows);
      output.line();
      output.line(
        well
          ? output.coloured('All is well.', 'green')
          : output.coloured('Not all is well.', 'red'),
      );
    });
  });
}

async function ask(cluster: Cluster, service: string): Promise<ServiceRow[]> {
  const reports = await cluster.askAll(healthEndpoint(service), {}, ANSWER_MS);
  if (reports.length === 0) return [{ service, report: undefined }];
  return reports
    .sort((a, b) => a.instance.localeCompare(b.instance))
    .map((report) => ({ service, report }));
}

function isWell({ report }: ServiceRow): boolean {
  return report !== undefined && report.checks.every(({ ok }) => ok);
}

function databaseText(rows: readonly ServiceRow[]): string {
  const checks = rows.flatMap(({ report }) => report?.checks ?? []);
  const found = checks.filter(({ name }) => name === 'postgres');
  return (found.find(({ ok }) => !ok) ?? found[0])?.text ?? 'nobody says';
}

function columns(now: Date): Column<ServiceRow>[] {
  return [
    { title: 'SERVICE', cell: ({ service }) => service },
    { title: 'STATE', cell: stateText },
    { title: 'INSTANCE', cell: ({ report }) => report?.instance },
    { title: 'HOST', cell: ({ report }) => report?.host },
    { title: 'PID', right: true, cell: ({ report }) => report?.pid },
    {
      title: 'UP FOR',
      right: true,
      cell: ({ report }) => formatElapsed(report?.startedAt ?? null, null, now),
    },
    {
      title: 'MEMORY',
      right: true,
      cell: ({ report }) => report && formatSize(report.residentBytes),
    },
    { title: 'TROUBLE', cell: ({ report }) => troubleOf(report) },
  ];
}

function stateText(row: ServiceRow): string {
  if (row.report === undefined) return 'no answer';
  return isWell(row) ? 'ok' : 'trouble';
}

function troubleOf(report: HealthReport | undefined): string {
  const failed = report?.checks.filter(({ ok }) => !ok) ?? [];
  return failed.map(({ name, text }) => `${name}: ${text}`).join('; ');
}
