import { hostname } from 'node:os';
import type { Command } from 'commander';
import { brokerServers } from '#contracts/broker.js';
import { healthEndpoint, type HealthReport } from '#contracts/health.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { discover } from '#messaging/micro/discovery.js';
import type { Cli } from '../../cli.js';
import { allClients } from '../../cluster/all-clients.js';
import type { Cluster } from '../../cluster/cluster.js';
import {
  processesOf,
  processView,
  SERVICES,
  type Heard,
  type ProcessView,
} from '../../cluster/process-list.js';
import { EXIT } from '../../exit-codes.js';
import { formatSize } from '../../output/size.js';
import type { Column } from '../../output/table.js';
import { formatElapsed } from '../../output/time.js';

/** All instances of a service may answer, so the whole time is waited out. */
const ANSWER_MS = 800;
const BROKER_MS_MAX = 2_000;

export function define(command: Command, cli: () => Cli): void {
  command.action(() => status(cli()));
}

/** Exit code 0 only if everybody who should be there answers and says that all is well. */
export async function status(cli: Cli): Promise<void> {
  await cli.withCluster(async (cluster) => {
    const heard = await hear(cluster);
    const processes = [...serversOf(cluster, heard.reports), ...processesOf(heard)];
    const wrong = processes.filter(({ state }) => state !== 'ok').length;
    if (wrong > 0) cli.exitCode = EXIT.unavailable;
    const { running, natsUrl } = cluster.address;
    const roundTripMs = await cluster.nats.connection.rtt();
    const nats = { url: natsUrl, version: cluster.nats.connection.info?.version, roundTripMs };
    const answer = { well: wrong === 0, cluster: running ?? null, nats, processes };
    cli.answer(answer, (output) => {
      if (running) output.line(`Data folder  ${running.dataFolder}`);
      output.line(`NATS         ${natsUrl}, ${roundTripMs} ms away`);
      output.line();
      output.table(columns(cli.now()), processes);
      output.line();
      output.line(
        wrong === 0
          ? output.coloured('All is well.', 'green')
          : output.coloured(`Not all is well: ${wrong} of ${processes.length}.`, 'red'),
      );
    });
  });
}

async function hear(cluster: Cluster): Promise<Heard> {
  const [reports, instances, servers, clients] = await Promise.all([
    Promise.all(SERVICES.map((name) => cluster.askAll(healthEndpoint(name), {}, ANSWER_MS))),
    discover(cluster.nats, ANSWER_MS),
    ifAnswered(cluster.ask(brokerServers, {}, BROKER_MS_MAX)),
    ifAnswered(allClients(cluster, BROKER_MS_MAX)),
  ]);
  return {
    reports: reports.flat(),
    instances,
    servers: servers?.servers,
    clients,
  };
}

/** The broker's own row says that it is away; then nobody knows who should be there. */
async function ifAnswered<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Unavailable || error instanceof PermanentError) return undefined;
    throw error;
  }
}

/** What is no service of ours: the servers below, and `holdfast up` above. */
function serversOf(cluster: Cluster, reports: readonly HealthReport[]): ProcessView[] {
  const { running } = cluster.address;
  const { info } = cluster.nats.connection;
  const checks = reports.flatMap((report) => report.checks);
  const found = checks.filter(({ name }) => name === 'postgres');
  const failed = found.filter(({ ok }) => !ok).map(({ text }) => text);
  const version = found.find(({ ok }) => ok)?.text.replace(/^PostgreSQL /, '') ?? null;
  const trouble = found.length > 0 ? [...new Set(failed)] : ['no service says anything of it'];
  return [
    ...(running
      ? [processView({ process: 'up', state: 'ok', host: hostname(), ...pick(running) })]
      : []),
    processView({
      process: 'nats-server',
      state: 'ok',
      id: info?.server_name ?? null,
      host: info?.host ?? null,
      version: info?.version ?? null,
    }),
    processView({
      process: 'postgres',
      state: trouble.length === 0 ? 'ok' : version === null ? 'down' : 'trouble',
      version,
      trouble,
    }),
  ];
}

function pick({ pid, version, startedAt }: { pid: number; version: string; startedAt: string }) {
  return { pid, version, startedAt };
}

function columns(now: Date): Column<ProcessView>[] {
  return [
    { title: 'PROCESS', cell: ({ process }) => process },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'ID', cell: ({ id }) => id },
    { title: 'HOST', cell: ({ host }) => host },
    { title: 'PID', right: true, cell: ({ pid }) => pid },
    { title: 'VERSION', cell: ({ version }) => version },
    { title: 'UP FOR', right: true, cell: (row) => formatElapsed(row.startedAt, null, now) },
    {
      title: 'MEMORY',
      right: true,
      cell: (row) => row.residentBytes && formatSize(row.residentBytes),
    },
    { title: 'REQUESTS', right: true, cell: ({ requests }) => requests },
    { title: 'ERRORS', right: true, cell: ({ errors }) => errors },
    { title: 'TROUBLE', cell: ({ trouble }) => trouble.join('; ') },
  ];
}
