import type { Command } from 'commander';
import {
  settingsEndpoint,
  settingsPutEndpoint,
  type SettingView,
} from '#contracts/settings/settings.js';
import { NotFound, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { parseInput } from '#messaging/validation.js';
import type { Cli } from '../../cli.js';
import type { Cluster } from '../../cluster/cluster.js';
import { EXIT, UsageError } from '../../exit-codes.js';
import type { Column } from '../../output/table.js';

/** Those with tables, which answer at once. */
const STORING = ['policy', 'jobs', 'broker', 'catalog'] as const;
const SERVICES = [...STORING, 'media', 'agent'] as const;
/** All instances of media and agent may answer, so the whole time is waited out. */
const ANSWER_MS = 800;
const SERVICE_MS_MAX = 5_000;

interface Row extends SettingView {
  readonly service: string;
  readonly instance: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'SERVICE', cell: ({ service, instance }) => placeOf(service, instance) },
  { title: 'SETTING', cell: ({ name }) => name },
  { title: 'VALUE', cell: ({ value }) => (value === null ? null : String(value)) },
  { title: 'UNIT', cell: ({ unit }) => unit },
  { title: 'SOURCE', cell: ({ source }) => source },
  { title: 'TO SET', cell: ({ settable, variable }) => (settable ? 'config set' : variable) },
  { title: 'WHAT', cell: ({ description }) => description },
];

export function define(command: Command, cli: () => Cli): void {
  command
    .command('show')
    .description('every setting with its value, and where that comes from')
    .argument('[service]', `${SERVICES.join(', ')} (default: all)`)
    .action((service: string | undefined) => show(cli(), service));
  command
    .command('set')
    .description('set a setting; services take it over within seconds, without a restart')
    .argument('<name>', 'as `config show` has it: retry.tries')
    .argument('[value]')
    .option('--default', 'take back what was set')
    .action((name: string, value: string | undefined, options: { default?: true }) =>
      set(cli(), { name, value, unset: options.default ?? false }),
    );
}

async function show(cli: Cli, service: string | undefined): Promise<void> {
  const asked = servicesOf(service);
  await cli.withCluster(async (cluster) => {
    const { rows, silent } = await read(cluster, asked);
    if (silent.length > 0) cli.exitCode = EXIT.unavailable;
    cli.answer({ settings: rows, silent }, (output) => {
      if (rows.length > 0) output.table(COLUMNS, rows);
      if (rows.some(({ settable }) => !settable)) {
        output.remark('HOLDFAST_... : only in the environment of the process, at its start.');
      }
      for (const name of silent) output.remark(`No ${name} answers: is it running?`);
    });
  });
}

interface Change {
  readonly name: string;
  readonly value: string | undefined;
  readonly unset: boolean;
}

async function set(cli: Cli, { name, value, unset }: Change): Promise<void> {
  if ((value === undefined) !== unset) {
    throw new UsageError('Give a value, or --default to take back what was set.', 'value');
  }
  const request = parseInput(settingsPutEndpoint('any').request, { name, value: value ?? null });
  await cli.withCluster(async (cluster) => {
    const service = await ownerOf(cluster, name);
    const answer = await cluster.ask(settingsPutEndpoint(service), request);
    cli.answer({ service, ...answer }, (output) => {
      const { value: now, unit, source } = answer.setting;
      output.line(`${name} is ${[now ?? 'not set', unit].join(' ').trim()} now (${source}).`);
    });
  });
}

/** The service that has a setting, for one that can be set while it runs. */
async function ownerOf(cluster: Cluster, name: string): Promise<string> {
  const stored = await read(cluster, STORING);
  const others = stored.rows.some((row) => row.name === name)
    ? { rows: [], silent: [] }
    : await read(cluster, ['media', 'agent']);
  const silent = [...stored.silent, ...others.silent];
  const found = [...stored.rows, ...others.rows].find((row) => row.name === name);
  if (found === undefined) {
    if (silent.length === 0) {
      throw new NotFound('setting', name, STATUS.notFound, '`holdfast config show` lists them.');
    }
    throw new Unavailable(`No service that answers has ${name}. Silent: ${silent.join(', ')}.`);
  }
  if (found.settable) return found.service;
  throw new UsageError(
    `${name} can't be set while ${found.service} runs. Start it with ${found.variable} in its environment.`,
    'name',
  );
}

async function read(
  cluster: Cluster,
  services: readonly string[],
): Promise<{ rows: Row[]; silent: string[] }> {
  const answers = await Promise.all(services.map((service) => ask(cluster, service)));
  const silent = services.filter((_, i) => answers[i]!.length === 0);
  const rows = answers
    .flat()
    .flatMap(({ service, instance, settings }) =>
      settings.map((setting) => ({ service, instance, ...setting })),
    );
  return { rows, silent };
}

async function ask(cluster: Cluster, service: string) {
  const endpoint = settingsEndpoint(service);
  if (endpoint.allAnswer) {
    const all = await cluster.askAll(endpoint, {}, ANSWER_MS);
    return all.sort((a, b) => a.instance.localeCompare(b.instance));
  }
  try {
    return [await cluster.ask(endpoint, {}, SERVICE_MS_MAX)];
  } catch (error) {
    if (error instanceof Unavailable) return [];
    throw error;
  }
}

function servicesOf(service: string | undefined): readonly string[] {
  if (service === undefined) return SERVICES;
  if ((SERVICES as readonly string[]).includes(service)) return [service];
  throw new UsageError(`A service is ${SERVICES.join(', ')}, not "${service}".`, 'service');
}

/** A media server or an agent is called by its name. */
function placeOf(service: string, instance: string): string {
  return settingsEndpoint(service).allAnswer ? `${service} ${instance}` : service;
}
