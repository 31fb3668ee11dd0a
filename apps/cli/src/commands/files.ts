import type { Command } from 'commander';
import { catalogFiles, type FileView } from '#contracts/image.js';
import { PAGE_ROWS_MAX } from '#contracts/names.js';
import type { Cli } from '../cli.js';
import { imageIdOf } from '../input/image-id.js';
import { wholeNumber } from '../input/numbers.js';
import { imagePath } from '../input/paths.js';
import { fileLine } from '../output/file-line.js';

const LIMIT_MAX = Number.MAX_SAFE_INTEGER;

export function define(command: Command, cli: () => Cli): void {
  command
    .argument('<image>', '<client>_<unix time>')
    .argument('[prefix]', 'a path: it and everything below it')
    .option('--limit <n>', 'at most so many (default: all)', wholeNumber('--limit', 1, LIMIT_MAX))
    .action((image: string, prefix: string | undefined, options: { limit?: number }) =>
      list(cli(), { image, prefix, limit: options.limit ?? LIMIT_MAX }),
    );
}

/** Page by page, so that an image may have any number of files. */
async function list(
  cli: Cli,
  { image, prefix, limit }: { image: string; prefix: string | undefined; limit: number },
): Promise<void> {
  const imageId = imageIdOf(image);
  const filter = { imageId, prefix: prefix === undefined ? undefined : imagePath(prefix) };
  await cli.withCluster(async (cluster) => {
    const print = cli.output.json ? jsonPrinter(cli) : textPrinter(cli);
    let count = 0;
    let after: string | undefined;
    while (count < limit) {
      const rows = Math.min(limit - count, PAGE_ROWS_MAX);
      const { files } = await cluster.ask(catalogFiles, { ...filter, after, limit: rows });
      print.page(files);
      count += files.length;
      after = files.at(-1)?.path;
      if (files.length < rows) break;
    }
    print.end(count);
  });
}

interface Printer {
  page(files: readonly FileView[]): void;
  end(count: number): void;
}

function textPrinter({ output }: Cli): Printer {
  return {
    page: (files) => output.lines(files.map(fileLine)),
    end: (count) => {
      if (count === 0) output.remark('No files.');
    },
  };
}

/** One document, `{"files": [...]}`, written as it comes. */
function jsonPrinter({ output }: Cli): Printer {
  let begun = false;
  return {
    page(files) {
      const rows = files.map((file) => JSON.stringify(file)).join(',\n');
      output.out.write(`${begun ? (rows ? ',\n' : '') : '{"files":[\n'}${rows}`);
      begun = true;
    },
    end: () => output.line(`${begun ? '' : '{"files":['}]}`),
  };
}
