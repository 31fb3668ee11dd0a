import type { Command } from 'commander';
import { catalogFind } from '#contracts/image.js';
import { PAGE_ROWS_MAX } from '#contracts/names.js';
import type { Cli } from '../cli.js';
import { wholeNumber } from '../input/numbers.js';
import { imagePath } from '../input/paths.js';
import { modeText } from '../output/file-line.js';
import { formatSize } from '../output/size.js';
import type { Column } from '../output/table.js';
import { formatTime } from '../output/time.js';

interface FindOptions {
  readonly client?: string;
  readonly limit: number;
}

type Found = (typeof catalogFind)['response']['_output']['files'][number];

const COLUMNS: readonly Column<Found>[] = [
  { title: 'IMAGE', cell: ({ imageId }) => imageId },
  { title: 'TIME', cell: ({ backupTime }) => formatTime(backupTime) },
  { title: 'MODE', cell: modeText },
  { title: 'SIZE', right: true, cell: ({ size }) => formatSize(size) },
  {
    title: 'MODIFIED',
    cell: ({ type, mtime }) => (type === 'x' ? 'deleted' : formatTime(mtime)),
  },
  { title: 'PATH', cell: ({ path }) => path },
];

export function define(command: Command, cli: () => Cli): void {
  command
    .argument('<pattern>', 'a path; * stands for any text, ? for one character (quote them)')
    .option('--client <name>', 'in images of this client only')
    .option('--limit <n>', 'at most so many', wholeNumber('--limit', 1, PAGE_ROWS_MAX), 100)
    .action((pattern: string, options: FindOptions) => find(cli(), pattern, options));
}

async function find(cli: Cli, argument: string, options: FindOptions): Promise<void> {
  const pattern = imagePath(argument);
  await cli.withCluster(async (cluster) => {
    const answer = await cluster.ask(catalogFind, { pattern, ...options });
    cli.answer(answer, (output) => {
      if (answer.files.length > 0) output.table(COLUMNS, answer.files);
      else output.line('Nothing found.');
      if (answer.truncated) output.remark('There are more: narrow the pattern or raise --limit.');
    });
  });
}
