import type { Command } from 'commander';
import {
  brokerDrain,
  brokerForget,
  brokerGroups,
  brokerLimits,
  brokerPools,
} from '#contracts/broker/configuration.js';
import {
  brokerAllocations,
  brokerQueue,
  brokerRelease,
  brokerServers,
  brokerUnits,
  type QueueEntry,
  type QueueTurn,
} from '#contracts/broker.js';
import type { InputOf, ResponseOf } from '#contracts/contract.js';
import { PAGE_ROWS_MAX } from '#contracts/names.js';
import type { Cli } from '../../cli.js';
import { allClients } from '../../cluster/all-clients.js';
import { UsageError } from '../../exit-codes.js';
import { wholeNumber } from '../../input/numbers.js';
import {
  ALLOCATIONS,
  CLIENTS,
  GROUPS,
  LIMITS,
  POOLS,
  QUEUE,
  SERVERS,
  UNITS,
  type Volume,
} from './tables.js';

type AllocationFilter = InputOf<typeof brokerAllocations>;
type QueueAnswer = ResponseOf<typeof brokerQueue>;
type QueueOptions = Pick<InputOf<typeof brokerQueue>, 'unit' | 'client' | 'policy' | 'reason'> & {
  readonly limit: number;
};

const QUEUE_ROWS = 100;
const QUEUE_ROWS_MAX = 1_000_000;

export function define(command: Command, cli: () => Cli): void {
  defineAllocations(command, cli);
  defineSteering(command, cli);
  defineForget(command, cli);
  const lists = [
    ['servers', 'media servers with their volumes', servers],
    ['units', 'storage units and how they are used', units],
    ['groups', 'storage unit groups', groups],
    ['pools', 'storage pools, with their units and volumes', pools],
    ['limits', 'how many backups of a client may run at once', limits],
    ['clients', 'clients and whether they can be reached', clients],
  ] as const;
  for (const [name, description, show] of lists) {
    command
      .command(name)
      .description(description)
      .action(() => show(cli()));
  }
}

function defineAllocations(command: Command, cli: () => Cli): void {
  command
    .command('allocations')
    .description('what is granted now')
    .option('--media <name>', 'on this media server')
    .option('--unit <name>', 'of this storage unit')
    .option('--pool <name>', 'of this storage pool')
    .option('--client <name>', 'of this client')
    .option('--policy <name>', 'of this policy')
    .action((filter: AllocationFilter) => allocations(cli(), filter));
  command
    .command('queue')
    .description('who waits for what, in the order of their turn')
    .option('--unit <name>', 'for this storage unit or group')
    .option('--client <name>', 'of this client')
    .option('--policy <name>', 'of this policy')
    .option('--reason <reason>', 'for this reason: unit-busy, client-limit, media-down ...')
    .option('--limit <n>', 'at most so many', wholeNumber('--limit', 1, QUEUE_ROWS_MAX), QUEUE_ROWS)
    .action((options: QueueOptions) => queue(cli(), options));
}

function defineSteering(command: Command, cli: () => Cli): void {
  command
    .command('release')
    .description('take an allocation from the job that has it')
    .argument('<allocation>', 'its id, as "broker allocations" shows it')
    .action((allocationId: string) => release(cli(), allocationId));
  command
    .command('drain')
    .description('have a media server or a storage unit take nothing new; what runs goes on')
    .argument('[media]', 'the media server')
    .option('--unit <name>', 'this storage unit instead')
    .option('--undo', 'take it back')
    .action((media: string | undefined, options: { unit?: string; undo?: true }) =>
      drain(cli(), { media, ...options }),
    );
}

function defineForget(command: Command, cli: () => Cli): void {
  command
    .command('forget')
    .description('forget a media server or a client that is down and will not come back')
    .argument('[media]', 'the media server')
    .option('--client <name>', 'this client instead')
    .action((media: string | undefined, options: { client?: string }) =>
      forget(cli(), { media, ...options }),
    );
}

async function allocations(cli: Cli, filter: AllocationFilter): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerAllocations, filter));
  cli.answer(answer, (output) => {
    if (answer.allocations.length > 0) output.table(ALLOCATIONS, answer.allocations);
    else output.line('Nothing is allocated.');
    if (answer.isCut)
      output.remark('There are more: name a media server, unit, pool, client or policy.');
    if (answer.queued === 0) return;
    const who = answer.queued === 1 ? '1 job waits' : `${answer.queued} jobs wait`;
    output.remark(`${who}: holdfast broker queue`);
  });
}

async function queue(cli: Cli, { limit, ...filter }: QueueOptions): Promise<void> {
  const entries: QueueEntry[] = [];
  let queued = 0;
  await cli.withCluster(async (cluster) => {
    let after: QueueTurn | undefined;
    do {
      const rows = Math.min(PAGE_ROWS_MAX, limit - entries.length);
      const answer: QueueAnswer = await cluster.ask(brokerQueue, { ...filter, after, limit: rows });
      entries.push(...answer.entries);
      queued = answer.queued;
      after = answer.next ?? undefined;
    } while (after !== undefined && entries.length < limit);
  });
  cli.answer({ entries, queued }, (output) => {
    if (entries.length > 0) output.table(QUEUE, entries);
    else output.line(queued > 0 ? 'None of those that wait fits.' : 'Nothing waits.');
    if (queued > entries.length) output.remark(`${queued} wait in all.`);
  });
}

async function release(cli: Cli, allocationId: string): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerRelease, { allocationId }));
  cli.answer(answer, (output) => {
    output.line(`Released allocation ${allocationId}.`);
    if (answer.note !== undefined) output.remark(answer.note);
  });
}

async function drain(
  cli: Cli,
  { media, unit, undo }: { media: string | undefined; unit?: string; undo?: true },
): Promise<void> {
  if ((media === undefined) === (unit === undefined)) {
    throw new UsageError('Name a media server, or a storage unit with --unit.', 'media');
  }
  const what = media === undefined ? { unit } : { media };
  const request = { ...what, drain: undo === undefined };
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerDrain, request));
  const name = media === undefined ? `Storage unit ${unit}` : `Media server ${media}`;
  cli.answer(answer, (output) => {
    if (!answer.drained) {
      output.line(`${name} takes new jobs again.`);
      return;
    }
    output.line(`${name} takes no new jobs.`);
    const { writing, reading } = answer;
    const left = writing === 1 ? '1 job still writes' : `${writing} jobs still write`;
    output.line(`${left} there${reading > 0 ? `, ${reading} read` : ''}.`);
  });
}

async function forget(
  cli: Cli,
  host: { media?: string | undefined; client?: string },
): Promise<void> {
  if ((host.media === undefined) === (host.client === undefined)) {
    throw new UsageError('Name a media server, or a client with --client.', 'media');
  }
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerForget, host));
  const name = host.media === undefined ? `Client ${host.client}` : `Media server ${host.media}`;
  cli.answer(answer, (output) =>
    output.line(`${name} is forgotten. Its images stay; if it comes back, it is known again.`),
  );
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

async function groups(cli: Cli): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerGroups, {}));
  cli.answer(answer, (output) => {
    if (answer.groups.length > 0) output.table(GROUPS, answer.groups);
    else output.line('No storage unit groups. Make one with: holdfast group put -f FILE');
  });
}

async function pools(cli: Cli): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerPools, {}));
  cli.answer(answer, (output) => {
    if (answer.pools.length > 0) output.table(POOLS, answer.pools);
    else output.line('No storage pools: no media server with a volume has been heard of.');
  });
}

async function limits(cli: Cli): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(brokerLimits, {}));
  cli.answer(answer, (output) => {
    if (answer.limits.length > 0) output.table(LIMITS, answer.limits);
    output.line(`Clients without a limit of their own: ${answer.defaultJobsMax} backups at once.`);
  });
}

async function clients(cli: Cli): Promise<void> {
  const all = await cli.withCluster((cluster) => allClients(cluster));
  cli.answer({ clients: all }, (output) => {
    if (all.length > 0) output.table(CLIENTS, all);
    else output.line('No client has been heard of.');
  });
}
