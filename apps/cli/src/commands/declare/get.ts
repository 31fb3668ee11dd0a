import type { Command } from 'commander';
import { NotFound } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { Cli } from '../../cli.js';
import type { Cluster } from '../../cluster/cluster.js';
import { UsageError } from '../../exit-codes.js';
import type { Kind, Spec } from '../../kinds/kind.js';
import { KINDS, kindOfWord } from '../../kinds/kind-table.js';
import { manifestOf } from '../../kinds/manifest-text.js';

const FORMATS = ['table', 'yaml', 'json'] as const;
type Format = (typeof FORMATS)[number];

interface Found {
  readonly kind: Kind;
  readonly specs: readonly Spec[];
}

const ALL = 'all';

export function define(command: Command, cli: () => Cli): void {
  command
    .argument('<kind>', `${KINDS.map(({ words }) => words[0]).join(', ')}, or ${ALL}`)
    .argument('[name]', 'only this one')
    .option('-o, --output <format>', 'table, yaml or json; apply takes the last two', formatOf)
    .action((kind: string, name: string | undefined, options: { output?: Format }) =>
      get(cli(), { word: kind, name, format: options.output }),
    );
}

interface Question {
  readonly word: string;
  readonly name: string | undefined;
  readonly format: Format | undefined;
}

async function get(cli: Cli, { word, name, format }: Question): Promise<void> {
  const kinds = word === ALL ? KINDS : [kindOfWord(word)];
  if (word === ALL && name !== undefined) throw new UsageError('"all" takes no name.', 'name');
  const found = await cli.withCluster((cluster) =>
    Promise.all(kinds.map((kind) => read(cluster, kind, name))),
  );
  const manifests = found.flatMap(({ kind, specs }) => specs.map((spec) => manifestOf(kind, spec)));
  const { output } = cli;
  if (output.json || format === 'json') {
    return output.document(name === undefined ? manifests : manifests[0]);
  }
  if (format === 'yaml') {
    const { toYaml } = await import('../../output/yaml.js');
    return output.out.write(manifests.map((one) => toYaml(one)).join('---\n'));
  }
  for (const { kind, specs } of found) {
    if (specs.length > 0) output.table(kind.columns, specs);
    else output.line(`There are no ${kind.words[0]}.`);
    if (kinds.length > 1) output.line();
  }
}

async function read(cluster: Cluster, kind: Kind, name: string | undefined): Promise<Found> {
  if (name === undefined) return { kind, specs: await kind.list(cluster) };
  const found = await kind.find(cluster, name);
  if (found) return { kind, specs: [found] };
  throw new NotFound(kind.kind, name, STATUS.notFound, `See: holdfast get ${kind.words[0]}`);
}

function formatOf(text: string): Format {
  const found = FORMATS.find((one) => one === text);
  if (found) return found;
  throw new UsageError(`-o is ${FORMATS.join(', ')}, not "${text}".`, 'output');
}
