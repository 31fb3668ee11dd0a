import type { Command } from 'commander';
import { brokerServers } from '#contracts/broker.js';
import type { Endpoint, InputOf, ResponseOf } from '#contracts/contract.js';
import {
  mediaEject,
  mediaImport,
  mediaLabel,
  mediaLibrary,
  mediaLibraryInventory,
  mediaMountAnswer,
  mediaMounts,
  mediaRetire,
  mediaVolumeState,
  type LibraryView,
  type LibraryVolume,
  type MountRequest,
} from '#contracts/media/library.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { Cli } from '../../cli.js';
import type { Cluster } from '../../cluster/cluster.js';
import { UsageError } from '../../exit-codes.js';
import { wholeNumber } from '../../input/numbers.js';
import { formatSize } from '../../output/size.js';
import type { Column } from '../../output/table.js';
import { formatTime } from '../../output/time.js';

interface Where {
  readonly media?: string;
  readonly pool?: string;
}

interface OfServer<T> {
  readonly mediaId: string;
  readonly it: T;
}

const VOLUMES: readonly Column<LibraryVolume & { readonly pool: string }>[] = [
  { title: 'VOLUME', cell: ({ volume }) => volume },
  { title: 'BARCODE', cell: ({ barcode }) => barcode },
  { title: 'POOL', cell: ({ pool }) => pool },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'PLACE', cell: ({ place }) => place },
  { title: 'FRAGMENTS', right: true, cell: ({ fragments }) => fragments },
  { title: 'POSITION', right: true, cell: ({ position }) => position },
  { title: 'WRITTEN', right: true, cell: ({ writtenBytes }) => formatSize(writtenBytes) },
  { title: 'CAPACITY', right: true, cell: ({ capacityBytes }) => formatSize(capacityBytes) },
  { title: 'REASON', cell: ({ reason }) => reason },
];

const MOUNTS: readonly Column<OfServer<MountRequest>>[] = [
  { title: 'REQUEST', cell: ({ it }) => it.requestId },
  { title: 'VOLUME', cell: ({ it }) => it.volumes.map(({ label }) => label).join(' or ') },
  { title: 'POOL', cell: ({ it }) => it.pool },
  { title: 'MEDIA SERVER', cell: ({ mediaId }) => mediaId },
  { title: 'JOB', right: true, cell: ({ it }) => it.job },
  { title: 'SINCE', cell: ({ it }) => formatTime(it.since) },
];

export function define(command: Command, cli: () => Cli): void {
  const add = (usage: string, description: string) =>
    command
      .command(usage)
      .description(description)
      .option('--media <name>', 'its media server (default: the one that has a library)')
      .option('--pool <name>', 'its pool (default: the one that it has)');
  add('show', 'drives, slots and volumes').action((where: Where) => show(cli(), where));
  add('mounts', 'volumes that jobs wait for').action((where: Where) => mounts(cli(), where));
  add('answer <request> <action>', 'answer a mount request: mounted, or cancel')
    .option('--reason <text>', 'why it is cancelled')
    .action((requestId: string, action: string, where: Where & { reason?: string }) =>
      answer(cli(), where, { requestId, action, reason: where.reason ?? '' }),
    );
  add(
    'label <slot> <label>',
    'label the cartridge in a slot; it has to be blank or scratch',
  ).action((slot: string, label: string, where: Where) => labelSlot(cli(), where, { slot, label }));
  add('inventory', 'look over the library, read labels that are not known').action((where: Where) =>
    inventory(cli(), where),
  );
  add('import', 'take what lies in the mail slot into free slots').action((where: Where) =>
    importMail(cli(), where),
  );
  add('eject <volume>', 'put a volume into the mail slot').action((volume: string, where: Where) =>
    eject(cli(), where, volume),
  );
  add('retire <volume>', 'take a cartridge that holds nothing out of use').action(
    (volume: string, where: Where) => retire(cli(), where, volume),
  );
  add('suspend <volume>', 'write nothing more to a volume')
    .option('--reason <text>', 'why')
    .action((volume: string, where: Where & { reason?: string }) =>
      setState(cli(), where, { volume, state: 'suspended', reason: where.reason }),
    );
  add('resume <volume>', 'write to a suspended volume again').action(
    (volume: string, where: Where) => setState(cli(), where, { volume, state: 'active' }),
  );
}

async function show(cli: Cli, where: Where): Promise<void> {
  const all = await ofEach(cli, where, async (cluster, mediaId) => {
    return (await cluster.askInstance(mediaId, mediaLibrary, {})).libraries;
  });
  const shown = all.filter(({ it }) => where.pool === undefined || it.pool === where.pool);
  const libraries = shown.map(({ mediaId, it }) => ({ mediaId, ...it }));
  cli.answer({ libraries }, (output) => {
    if (libraries.length === 0) output.line('There is no library. See: holdfast up --library');
    for (const library of libraries) {
      output.line(`Library ${library.path} of ${library.mediaId}, pool ${library.pool}`);
      for (const line of placeLines(library)) output.line(line);
      output.table(
        VOLUMES,
        library.volumes.map((volume) => ({ ...volume, pool: library.pool })),
      );
    }
  });
}

function placeLines({ drives, slots, mail }: LibraryView): string[] {
  const taken = slots.filter(({ volume }) => volume !== null).length;
  return [
    ...drives.map(({ drive, volume }) => `Drive ${drive}: ${volume ?? 'empty'}`),
    `Slots: ${slots.length}, ${taken} taken`,
    `Mail slot: ${mail.length > 0 ? mail.join(', ') : 'empty'}`,
  ];
}

async function mounts(cli: Cli, where: Where): Promise<void> {
  const found = await requestsOf(cli, where);
  const requests = found.map(({ mediaId, it }) => ({ mediaId, ...it }));
  cli.answer({ requests }, (output) => {
    if (found.length === 0) return output.line('No job waits for a volume.');
    output.table(MOUNTS, found);
    output.line('Put the volume into the mail slot (or a slot), then: holdfast library answer');
    output.line('REQUEST mounted. If it will not come: holdfast library answer REQUEST cancel');
  });
}

async function answer(
  cli: Cli,
  where: Where,
  { requestId, action, reason }: { requestId: string; action: string; reason: string },
): Promise<void> {
  if (action !== 'mounted' && action !== 'cancel') {
    throw new UsageError(`An answer is "mounted" or "cancel", not "${action}".`, 'action');
  }
  const found = (await requestsOf(cli, where)).find(({ it }) => it.requestId === requestId);
  if (!found) {
    throw new PermanentError(
      STATUS.notFound,
      `There is no mount request "${requestId}".`,
      'request',
    );
  }
  const input = { requestId, action, reason } as const;
  const said = await cli.withCluster((cluster) =>
    cluster.askInstance(found.mediaId, mediaMountAnswer, input),
  );
  cli.answer(said, (output) => {
    if (action === 'cancel') output.line('The mount is cancelled; its job ends with status 98.');
    else output.line(`Imported: ${said.imported.join(', ') || 'nothing'}. The job looks again.`);
  });
}

async function labelSlot(
  cli: Cli,
  where: Where,
  { slot, label }: { slot: string; label: string },
): Promise<void> {
  const number = wholeNumber('slot', 1, 999)(slot);
  const said = await askOne(cli, where, mediaLabel, { ...of(where), slot: number, label });
  const { volume, barcode } = said.volume;
  cli.answer(said, (output) => output.line(`Cartridge ${barcode} is volume ${volume}.`));
}

async function inventory(cli: Cli, where: Where): Promise<void> {
  const said = await askOne(cli, where, mediaLibraryInventory, of(where));
  const found = said.found.join(', ') || 'nothing new';
  cli.answer(said, (output) => output.line(`Found: ${found}.`));
}

async function importMail(cli: Cli, where: Where): Promise<void> {
  const said = await askOne(cli, where, mediaImport, of(where));
  const imported = said.imported.join(', ') || 'nothing, the mail slot is empty';
  cli.answer(said, (output) => output.line(`Imported: ${imported}.`));
}

async function eject(cli: Cli, where: Where, volume: string): Promise<void> {
  const said = await askOne(cli, where, mediaEject, { ...of(where), volume });
  cli.answer(said, (output) =>
    output.line(`Cartridge ${said.barcode} is in the mail slot. Take it out there.`),
  );
}

async function retire(cli: Cli, where: Where, volume: string): Promise<void> {
  const said = await askOne(cli, where, mediaRetire, { ...of(where), volume });
  const hint = said.place === 'mail' ? ' It is in the mail slot: take it out there.' : '';
  cli.answer(said, (output) => output.line(`Cartridge ${said.barcode} is out of use.${hint}`));
}

async function setState(
  cli: Cli,
  where: Where,
  to: { volume: string; state: 'suspended' | 'active'; reason?: string | undefined },
): Promise<void> {
  const { reason, ...change } = to;
  const input = { ...of(where), ...change, ...(reason !== undefined && { reason }) };
  const said = await askOne(cli, where, mediaVolumeState, input);
  const { volume, state } = said.volume;
  cli.answer(said, (output) => output.line(`Volume ${volume} is ${state}.`));
}

function of({ pool }: Where): { pool?: string } {
  return pool === undefined ? {} : { pool };
}

function requestsOf(cli: Cli, where: Where): Promise<OfServer<MountRequest>[]> {
  return ofEach(cli, where, async (cluster, mediaId) => {
    const { requests } = await cluster.askInstance(mediaId, mediaMounts, {});
    return requests.filter(({ pool }) => where.pool === undefined || where.pool === pool);
  });
}

/** What each media server with a library says. */
function ofEach<T>(
  cli: Cli,
  where: Where,
  ask: (cluster: Cluster, mediaId: string) => Promise<readonly T[]>,
): Promise<OfServer<T>[]> {
  return cli.withCluster(async (cluster) => {
    const all: OfServer<T>[] = [];
    for (const mediaId of await serversWithLibrary(cluster, where)) {
      all.push(...(await ask(cluster, mediaId)).map((it) => ({ mediaId, it })));
    }
    return all;
  });
}

function askOne<E extends Endpoint>(
  cli: Cli,
  where: Where,
  endpoint: E,
  input: InputOf<E>,
): Promise<ResponseOf<E>> {
  return cli.withCluster(async (cluster) => {
    const [first, ...others] = await serversWithLibrary(cluster, where);
    if (first === undefined) {
      throw new PermanentError(
        STATUS.notFound,
        'No media server that is up has such a library.',
        'media',
      );
    }
    if (others.length > 0) {
      throw new UsageError(`Name one with --media: ${[first, ...others].join(', ')}.`, 'media');
    }
    return cluster.askInstance(first, endpoint, input);
  });
}

async function serversWithLibrary(cluster: Cluster, where: Where): Promise<readonly string[]> {
  if (where.media !== undefined) return [where.media];
  const { servers } = await cluster.ask(brokerServers, {});
  const isMeant = (volume: (typeof servers)[number]['volumes'][number]) =>
    volume.class === 'sequential' && (where.pool === undefined || volume.pool === where.pool);
  return servers
    .filter(({ state, volumes }) => state === 'up' && volumes.some(isMeant))
    .map(({ mediaId }) => mediaId);
}
