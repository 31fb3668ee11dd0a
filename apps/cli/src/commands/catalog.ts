import type { Command } from 'commander';
import { brokerServers } from '#contracts/broker.js';
import type { ResponseOf } from '#contracts/contract.js';
import {
  CATALOG_WHOLE_MS_MAX,
  catalogBackup,
  catalogForgetVolume,
  catalogImport,
  catalogReconcile,
  catalogRestore,
  catalogState,
  type ReconcileFinding,
} from '#contracts/catalog/care.js';
import type { Cli } from '../cli.js';
import type { Cluster } from '../cluster/cluster.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { formatCount, formatSize } from '../output/size.js';
import { fieldLines, type Column } from '../output/table.js';
import { formatTime } from '../output/time.js';

interface WalkOptions {
  readonly media?: string;
  readonly dryRun?: true;
}

/** A page reads up to 500 fragments' files. */
const PAGE_MS_MAX = 120_000;

const FINDINGS: readonly Column<ReconcileFinding>[] = [
  { title: 'IMAGE', cell: ({ imageId }) => imageId },
  { title: 'COPY', right: true, cell: ({ copy }) => copy },
  { title: 'FRAGMENT', right: true, cell: ({ number }) => number },
  { title: 'ID', cell: ({ fragmentId }) => fragmentId },
  { title: 'FINDING', cell: ({ finding }) => finding },
  { title: 'ACTION', cell: ({ action }) => action },
];

export function define(command: Command, cli: () => Cli): void {
  command
    .command('state')
    .description('count what the catalog holds')
    .action(() => state(cli()));
  command
    .command('reconcile')
    .description('compare catalog, journals and bytes, and settle every difference')
    .option('--media <name>', 'this media server alone (default: all that are up)')
    .option('--dry-run', 'only say what would be done')
    .action((options: WalkOptions) => reconcile(cli(), options));
  command
    .command('forget-volume')
    .description('give up a volume that will not come back')
    .argument('<media>', 'its media server')
    .argument('<volume>', 'its id, as "catalog state" shows it')
    .action((mediaId: string, volumeId: string) => forgetVolume(cli(), { mediaId, volumeId }));
  command
    .command('import-storage')
    .description('put the images that lie on media servers into the catalog')
    .option('--media <name>', 'this media server alone (default: all that are up)')
    .option('--dry-run', 'only count')
    .action((options: WalkOptions) => importStorage(cli(), options));
  command
    .command('backup')
    .description("write the whole catalog to a file on the catalog's host")
    .action(() => backup(cli()));
  command
    .command('restore')
    .description('replace the catalog by a file that "catalog backup" wrote')
    .argument('<file>', "its path on the catalog's host")
    .option('--yes', 'yes, replace what the catalog holds now')
    .action((file: string, options: { yes?: true }) => restore(cli(), file, options.yes ?? false));
}

async function state(cli: Cli): Promise<void> {
  const answer = await cli.withCluster((cluster) => cluster.ask(catalogState, {}));
  cli.answer(answer, (output) => {
    const counts = (of: Record<string, number>) =>
      Object.entries(of)
        .map(([name, count]) => `${name} ${formatCount(count)}`)
        .join(', ');
    output.lines(
      fieldLines([
        ['Epoch', answer.catalogEpoch],
        ['Images', formatCount(answer.images)],
        ['Fragments', counts(answer.fragments)],
        ['Pins', formatCount(answer.pins)],
        ['Holds', formatCount(answer.holds)],
        ['Parked messages', formatCount(answer.parked)],
        ['Refused fragments', counts(answer.refused)],
        ...answer.volumesAway.map((away): [string, string] => [
          'Volume away',
          `${volumeName(away)}, since ${formatTime(away.since)}`,
        ]),
      ]),
    );
  });
}

type VolumeAway = ResponseOf<typeof catalogState>['volumesAway'][number];

/** By the folder where it was, as far as that is known, and by its id, by which it can be given up. */
function volumeName({
  mediaId,
  volumeId,
  pool,
  path,
}: Pick<VolumeAway, 'mediaId' | 'volumeId' | 'pool' | 'path'>): string {
  if (path === null) return `${volumeId} of ${mediaId}`;
  return `${path} of pool "${pool}" of ${mediaId} (${volumeId})`;
}

async function reconcile(cli: Cli, options: WalkOptions): Promise<void> {
  const dryRun = options.dryRun ?? false;
  const findings: ReconcileFinding[] = [];
  const volumesAway = new Map<string, Omit<VolumeAway, 'since'>>();
  let checked = 0;
  let unchecked = 0;
  let unknownImage = 0;
  await cli.withCluster(async (cluster) => {
    for (const mediaId of await serversOf(cli, cluster, options.media)) {
      await pages(async (after) => {
        const page = { mediaId, after, dryRun };
        const answer = await cluster.ask(catalogReconcile, page, PAGE_MS_MAX);
        checked += answer.checked;
        unchecked += answer.unchecked;
        findings.push(...answer.findings);
        cli.output.remark(`${mediaId}: ${formatCount(checked)} fragments compared`);
        for (const volumeId of answer.away) {
          volumesAway.set(volumeId, { mediaId, volumeId, pool: null, path: null });
        }
        return answer.next;
      });
    }
    const known = await cluster.ask(catalogState, {}, PAGE_MS_MAX);
    unknownImage = known.refused['UNKNOWN_IMAGE'] ?? 0;
    for (const { volumeId, pool, path } of known.volumesAway) {
      const away = volumesAway.get(volumeId);
      if (away) volumesAway.set(volumeId, { ...away, pool, path });
    }
  });
  const away = [...volumesAway.values()];
  if (away.length > 0 || unchecked > 0) cli.exitCode = EXIT.partial;
  cli.answer({ checked, findings, away, unchecked, unknownImage }, (output) => {
    if (findings.length > 0) output.table(FINDINGS, findings);
    for (const one of away) {
      const { mediaId, volumeId } = one;
      output.line(
        `The volume ${volumeName(one)} is away, or not all of it can be read: what may be on it was not judged.`,
      );
      output.line(
        'Mount or mend it and start the media server again or, if it is lost, give it up with:',
      );
      output.line(`holdfast catalog forget-volume ${mediaId} ${volumeId}`);
    }
    const found = findings.length;
    const left = findings.filter(({ action }) => action === 'none').length;
    const counts = { checked, found, left, unchecked, dryRun };
    for (const line of reconciledLines(counts)) output.line(line);
    for (const line of unknownImageLines(unknownImage)) output.line(line);
  });
}

/** What came of it, in the end. */
function reconciledLines(of: {
  readonly checked: number;
  readonly found: number;
  /** What nobody but a person can judge. */
  readonly left: number;
  readonly unchecked: number;
  readonly dryRun: boolean;
}): string[] {
  const { found, left, unchecked, dryRun } = of;
  const compared = `${formatCount(of.checked)} fragments compared`;
  if (found === 0) return [`${compared}: no difference.`];
  const differences = found === 1 ? '1 difference' : `${formatCount(found)} differences`;
  if (dryRun) return [`${compared}: ${differences} found; nothing was done.`];
  if (unchecked + left === 0) return [`${compared}: ${differences} found and dealt with.`];
  const lines = [
    `${compared}: ${differences} found, ${formatCount(found - unchecked - left)} dealt with.`,
  ];
  if (left > 0) {
    lines.push(`${formatCount(left)} left as found: what is in doubt stays (action "none").`);
  }
  if (unchecked > 0) {
    lines.push(
      `${formatCount(unchecked)} not checked, so nothing was done: still being read, or a media server, or a volume of it, is away.`,
      "The catalog's log says which could not be read, and why. Reconcile again when it is back, or later.",
    );
  }
  return lines;
}

/** Nothing that is compared brings an image back. */
function unknownImageLines(fragments: number): string[] {
  if (fragments === 0) return [];
  const which = fragments === 1 ? '1 fragment is' : `${formatCount(fragments)} fragments are`;
  return [
    `${which} refused, since the catalog does not know their images (UNKNOWN_IMAGE). Put those back with:`,
    'holdfast catalog import-storage',
  ];
}

async function forgetVolume(
  cli: Cli,
  volume: { readonly mediaId: string; readonly volumeId: string },
): Promise<void> {
  await cli.withCluster((cluster) => cluster.ask(catalogForgetVolume, volume));
  cli.answer(volume, (output) => {
    output.line(`The volume ${volume.volumeId} of ${volume.mediaId} is given up.`);
    output.line('Have what was on it marked as damaged, and made anew from other copies, with:');
    output.line(`holdfast catalog reconcile --media ${volume.mediaId}`);
  });
}

async function importStorage(cli: Cli, options: WalkOptions): Promise<void> {
  const dryRun = options.dryRun ?? false;
  const total = { images: 0, fragments: 0 };
  const refused: { fragmentId: string; reason: string }[] = [];
  await cli.withCluster(async (cluster) => {
    for (const mediaId of await serversOf(cli, cluster, options.media)) {
      await pages(async (after) => {
        const page = { mediaId, after, dryRun };
        const answer = await cluster.ask(catalogImport, page, PAGE_MS_MAX);
        total.images += answer.images;
        total.fragments += answer.fragments;
        refused.push(...answer.refused);
        cli.output.remark(`${mediaId}: ${formatCount(total.fragments)} fragments`);
        return answer.next;
      });
    }
  });
  if (refused.length > 0) cli.exitCode = EXIT.partial;
  cli.answer({ ...total, refused }, (output) => {
    for (const { fragmentId, reason } of refused) output.line(`refused ${fragmentId}: ${reason}`);
    const verb = dryRun ? 'Would put' : 'Put';
    output.line(
      `${verb} ${formatCount(total.fragments)} fragments of ${formatCount(total.images)} images into the catalog.`,
    );
    if (!dryRun) output.line('See them with: holdfast images');
  });
}

async function backup(cli: Cli): Promise<void> {
  const answer = await cli.withCluster((cluster) =>
    cluster.ask(catalogBackup, {}, CATALOG_WHOLE_MS_MAX),
  );
  const { path, images, fragments, bytes } = answer;
  cli.answer(answer, (output) => {
    output.line(
      `The catalog (${formatCount(images)} images, ${formatCount(fragments)} fragments) is in ${path} (${formatSize(bytes)}).`,
    );
    output.line('Keep a copy of it on another machine.');
  });
}

async function restore(cli: Cli, path: string, confirm: boolean): Promise<void> {
  if (!confirm) {
    throw new UsageError(
      'This replaces all that the catalog holds now. Say --yes if that is what you want.',
      'yes',
    );
  }
  const answer = await cli.withCluster((cluster) =>
    cluster.ask(catalogRestore, { path, confirm }, CATALOG_WHOLE_MS_MAX),
  );
  cli.answer(answer, (output) => {
    const { images, fragments } = answer;
    output.line(
      `The catalog holds ${formatCount(images)} images with ${formatCount(fragments)} fragments again.`,
    );
    output.line('Bring in what was written since with: holdfast catalog reconcile');
    output.line('and: holdfast catalog import-storage');
  });
}

/** The one that was named, or all that are up; those that are down are told. */
async function serversOf(
  cli: Cli,
  cluster: Cluster,
  named: string | undefined,
): Promise<readonly string[]> {
  if (named !== undefined) return [named];
  const { servers } = await cluster.ask(brokerServers, {});
  const down = servers.filter(({ state: is }) => is === 'down').map(({ mediaId }) => mediaId);
  if (down.length > 0) {
    cli.output.remark(`Left out, because they are down: ${down.join(', ')}`);
    cli.exitCode = EXIT.partial;
  }
  return servers.filter(({ state: is }) => is === 'up').map(({ mediaId }) => mediaId);
}

/** Goes on from page to page until there is none behind it. */
async function pages(read: (after: string | undefined) => Promise<string | null>): Promise<void> {
  let after: string | undefined;
  do after = (await read(after)) ?? undefined;
  while (after !== undefined);
}
