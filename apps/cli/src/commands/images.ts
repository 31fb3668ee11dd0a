import type { Command } from 'commander';
import { catalogCopies, type CopyView } from '#contracts/catalog/copy.js';
import {
  catalogFragments,
  catalogImage,
  catalogImages,
  type FragmentView,
  type ImageView,
} from '#contracts/image.js';
import { PAGE_ROWS_MAX } from '#contracts/names.js';
import type { Cli } from '../cli.js';
import type { Cluster } from '../cluster/cluster.js';
import { imageIdOf } from '../input/image-id.js';
import { wholeNumber } from '../input/numbers.js';
import { MORE_ROWS, readPages } from '../input/pages.js';
import { formatCount, formatSize } from '../output/size.js';
import type { Column } from '../output/table.js';
import { expiryText, formatTime } from '../output/time.js';

interface ListOptions {
  readonly client?: string;
  readonly policy?: string;
  readonly keyword?: string;
  readonly limit: number;
}

const LIMIT_MAX = 100_000;
const LIMIT_DEFAULT = 100;
const FRAGMENTS_MAX = 1_000_000;

const COLUMNS: readonly Column<ImageView>[] = [
  { title: 'IMAGE', cell: ({ imageId }) => imageId },
  { title: 'TIME', cell: ({ backupTime }) => formatTime(backupTime) },
  { title: 'POLICY', cell: ({ policy }) => policy },
  { title: 'SCHEDULE', cell: ({ schedule }) => schedule },
  { title: 'KIND', cell: ({ kind }) => kind },
  { title: 'STATE', cell: ({ state, leaving }) => leaving?.state ?? state },
  { title: 'FILES', right: true, cell: ({ files }) => formatCount(files) },
  { title: 'SIZE', right: true, cell: ({ bytes }) => formatSize(bytes) },
  { title: 'STORED', right: true, cell: ({ storedBytes }) => formatSize(storedBytes) },
  { title: 'FRAGMENTS', right: true, cell: ({ fragments }) => formatCount(fragments) },
  { title: 'EXPIRES', cell: ({ expiresAt }) => expiryText(expiresAt) },
];

export function define(command: Command, cli: () => Cli): void {
  command
    .option('--client <name>', 'images of this client')
    .option('--policy <name>', 'images of this policy')
    .option('--keyword <text>', 'images with this keyword')
    .option('--limit <n>', 'at most so many', wholeNumber('--limit', 1, LIMIT_MAX), LIMIT_DEFAULT)
    .action((options: ListOptions) => list(cli(), options));
  command
    .command('show')
    .description('show one image')
    .argument('<image>', '<client>_<unix time>')
    .option('--long', 'with its copies and fragments')
    .action((image: string, options: { long?: true }) => show(cli(), image, options.long ?? false));
}

async function list(cli: Cli, { limit, ...filter }: ListOptions): Promise<void> {
  await cli.withCluster(async (cluster) => {
    const { rows: images, more } = await readPages<ImageView>(limit, async (rows, last) => {
      const page = { ...filter, before: last?.imageId, limit: rows };
      const answer = await cluster.ask(catalogImages, page);
      return { rows: answer.images, more: answer.more };
    });
    cli.answer({ images }, (output) => {
      if (images.length > 0) output.table(COLUMNS, images);
      else output.line('No images. Make one with: holdfast backup PATH');
      if (more) output.remark(MORE_ROWS);
    });
  });
}

async function show(cli: Cli, argument: string, long: boolean): Promise<void> {
  const imageId = imageIdOf(argument);
  const { imageBlock, copyBlocks } = await import('../output/image-blocks.js');
  await cli.withCluster(async (cluster) => {
    const { image } = await cluster.ask(catalogImage, { imageId });
    const { copies } = long ? await cluster.ask(catalogCopies, { imageId }) : { copies: [] };
    const fragments = await fragmentsOf(cluster, copies);
    cli.answer(long ? { image, copies, fragments } : { image }, (output) => {
      output.lines(imageBlock(image));
      output.lines(copyBlocks(copies, fragments));
    });
  });
}

/** All that the catalog knows of the copies' fragments, those that are gone too. */
async function fragmentsOf(cluster: Cluster, copies: readonly CopyView[]): Promise<FragmentView[]> {
  const all: FragmentView[] = [];
  for (const { imageId, copy } of copies) {
    let afterNumber = 0;
    for (;;) {
      const page = { imageId, copy, afterNumber, limit: PAGE_ROWS_MAX, all: true };
      const { fragments } = await cluster.ask(catalogFragments, page);
      if (fragments.length === 0 || all.length >= FRAGMENTS_MAX) break;
      all.push(...fragments);
      afterNumber = fragments.at(-1)!.number;
    }
  }
  return all;
}
