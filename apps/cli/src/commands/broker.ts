import type { Command } from 'commander';
import {
  brokerAllocations,
  brokerClients,
  brokerServers,
  brokerUnits,
  type Allocation,
  type MediaServer,
} from '#contracts/broker.js';
import type { ResponseOf } from '#contracts/contract.js';
import type { Cli } from '../cli.js';
import { formatSize } from '../output/size.js';
import type { Column } from '../output/table.js';
import { formatTime } from '../output/time.js';

type Queued = ResponseOf<typeof brokerAllocations>['queue'][number];
type Unit = ResponseOf<typeof brokerUnits>['units'][number];
type Client = ResponseOf<typeof brokerClients>['clients'][number];
interface Volume {
  readonly server: MediaServer;
  readonly volume: MediaServer['volumes'][number] | undefined;
}

const ALLOCATIONS: readonly Column<Allocation>[] = [
  { title: 'JOB', right: true, cell: ({ job }) => job },
  { title: 'ATTEMPT', right: true, cell: ({ attempt }) => attempt },
  { title: 'PURPOSE', cell: ({ purpose }) => purpose },
  { title: 'CLIENT', cell: ({ client }) => client },
  { title: 'UNIT', cell: ({ unit }) => unit },
  { title: 'POOL', cell: ({ pool }) => pool },
  { title: 'MEDIA', cell: ({ media }) => media.map(({ mediaId }) => mediaId).join(',') },
  { title: 'GRANTED', cell: ({ grantedAt }) => formatTime(grantedAt) },
  { title: 'LEASE UNTIL', cell: ({ leaseUntil }) => formatTime(leaseUntil) },
];

const QUEUE: readonly Column<Queued>[] = [
  { title: 'WAITING JOB', right: true, cell: ({ job }) => job },
  { title: 'ATTEMPT', right: true, cell: ({ attempt }) => attempt },
  { title: 'REASON', cell: ({ reason }) => reason },
];

const SERVERS: readonly Column<Volume>[] = [
  { title: 'MEDIA SERVER', cell: ({ server }) => server.mediaId },
  { title: 'STATE', cell: ({ server }) => server.state },
  { title: 'HOST', cell: ({ server }) => server.host },
  { title: 'DATA PORT', cell: ({ server }) => `${server.address.host}:${server.address.port}` },
  { title: 'LAST SEEN', cell: ({ server }) => formatTime(server.lastSeenAt) },
  { title: 'POOL', cell: ({ volume }) => volume?.pool },
  { title: 'FREE', right: true, cell: ({ volume }) => volume && formatSize(volume.freeBytes) },
  { title: 'TOTAL', right: true, cell: ({ volume }) => volume && formatSize(volume.totalBytes) },
  { title: 'PATH', cell: ({ volume }) => volume?.path },
];

const UNITS: readonly Column<Unit>[] = [
  { title: 'UNIT', cell: ({ name }) => name },
  { title: 'MEDIA SERVER', cell: ({ mediaId }) => mediaId },
  { title: 'POOL', cell: ({ pool }) => pool },
  { title: 'JOBS', right: true, cell: ({ jobsActive, jobsMax }) => `${jobsActive}/${jobsMax}` },
  {
    title: 'FRAGMENT MAX',
    right: true,
    cell: ({ fragmentBytesMax }) => formatSize(fragmentBytesMax),
  },
];

const CLIENTS: readonly Column<Client>[] = [
  { title: 'CLIENT', cell: ({ client }) => client },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'HOST', cell: ({ host }) => host },
  { title: 'VERSION', cell: ({ version }) => version },
  { title: 'LAST SEEN', cell: ({ lastSeenAt }) => formatTime(lastSeenAt) },
];

export function define(command: Command, cli: () => Cli): void {
  command
    .command('allocations')
    .description('what is granted now, and what waits')
    .action(() => allocations(cli()));
  command
    .command('servers')
    .description('media servers with their volumes')
    .action(() => servers(cli()));
  command
    .command('units')
    .description('storage units and how they are used')
    .action(() => units(cli()));
  command
    .command('clients')
    .description('clients and whether they can be reached')
    .action(() => clients(cli()));
}

async function allocations(cli: Cli): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerAllocations, {}));
  cli.answer(answer, (output) => {
    if (answer.allocations.length > 0) output.table(ALLOCATIONS, answer.allocations);
    else output.line('Nothing is allocated.');
    if (answer.queue.length > 0) output.line();
    if (answer.queue.length > 0) output.table(QUEUE, answer.queue);
  });
}

async function servers(cli: Cli): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerServers, {}));
  cli.answer(answer, (output) => {
    const rows = answer.servers.flatMap((server): Volume[] =>
      server.volumes.length > 0
        ? server.volumes.map((volume) => ({ server, volume }))
        : [{ server, volume: undefined }],
    );
    if (rows.length > 0) output.table(SERVERS, rows);
    else output.line('No media server has been heard of.');
  });
}

async function units(cli: Cli): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerUnits, {}));
  cli.answer(answer, (output) => {
    if (answer.units.length > 0) output.table(UNITS, answer.units);
    else output.line('No storage units. Make one with: holdfast unit put -f FILE');
  });
}

async function clients(cli: Cli): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerClients, {}));
  cli.answer(answer, (output) => {
    if (answer.clients.length > 0) output.table(CLIENTS, answer.clients);
    else output.line('No client has been heard of.');
  });
}
