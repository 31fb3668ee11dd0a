import type { Command } from 'commander';
import { type FileLine, fileOfLine, readFileLines } from '#archive/file-lines.js';
import type { ResponseOf } from '#contracts/contract.js';
import { catalogFilesText } from '#contracts/image.js';
import type { Cli } from '../cli.js';
import type { Cluster } from '../cluster/cluster.js';
import { imageIdOf } from '../input/image-id.js';
import { wholeNumber } from '../input/numbers.js';
import { imagePath } from '../input/paths.js';
import { fileLines } from '../output/file-line.js';

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
    const print = cli.output.json ? jsonPrinter(cli, imageId) : textPrinter(cli);
    let count = 0;
    for await (const page of pages(cluster, filter)) {
      const files = page.slice(0, limit - count);
      print.page(files);
      count += files.length;
      // Not more of them in memory than two pages, however slowly they are read.
      await cli.output.out.flushed?.();
      if (count >= limit) break;
    }
    print.end(count);
  });
}

/** The next page is on its way while one is printed. */
async function* pages(
  cluster: Cluster,
  filter: { readonly imageId: string; readonly prefix: string | undefined },
): AsyncGenerator<readonly FileLine[]> {
  const ask = (after?: string): Promise<Answer> => {
    const answer = cluster.ask(catalogFilesText, { ...filter, after });
    // Nobody waits for it where the list ends before it comes.
    answer.catch(() => undefined);
    return answer;
  };
  let coming: Promise<Answer> | undefined = ask();
  while (coming) {
    const { text, next }: Answer = await coming;
    coming = next === null ? undefined : ask(next);
    yield readFileLines(text);
  }
}

type Answer = ResponseOf<typeof catalogFilesText>;

interface Printer {
  page(files: readonly FileLine[]): void;
  end(count: number): void;
}

function textPrinter({ output }: Cli): Printer {
  return {
    page: (files) => output.lines(fileLines(files)),
    end: (count) => {
      if (count === 0) output.remark('No files.');
    },
  };
}

/** One document, `{"files": [...]}`, written as it comes. */
function jsonPrinter({ output }: Cli, imageId: string): Printer {
  let begun = false;
  return {
    page(files) {
      const rows = files
        .map((line) => JSON.stringify({ imageId, ...fileOfLine(line) }))
        .join(',\n');
      output.out.write(`${begun ? (rows ? ',\n' : '') : '{"files":[\n'}${rows}`);
      begun = true;
    },
    end: () => output.line(`${begun ? '' : '{"files":['}]}`),
  };
}
