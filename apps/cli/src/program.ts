import { Command } from 'commander';
import { VERSION } from '#service/version.js';
import { Cli, type CliWorld, type GlobalOptions } from './cli.js';

/** Gives a command its arguments, options and action. `cli` is ready by the time an action runs. */
export type Define = (command: Command, cli: () => Cli) => void;

interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Loads the command's module: only the one that is asked for, so that the start is quick. */
  readonly load: () => Promise<{ readonly define: Define }>;
}

const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'up',
    summary: 'start the cluster on this machine and keep it running',
    load: () => import('./commands/up.js'),
  },
  {
    name: 'status',
    summary: 'show every process of the cluster, and what is wrong',
    load: () => import('./commands/operate/status.js'),
  },
  {
    name: 'cluster',
    summary: 'the same, as `cluster status`',
    load: () => import('./commands/operate/cluster.js'),
  },
  {
    name: 'config',
    summary: 'show and set the settings of all services',
    load: () => import('./commands/operate/config.js'),
  },
  {
    name: 'apply',
    summary: 'make the cluster what files say: policies, storage units, pools ...',
    load: () => import('./commands/declare/apply.js'),
  },
  {
    name: 'get',
    summary: 'print what there is, as apply takes it',
    load: () => import('./commands/declare/get.js'),
  },
  {
    name: 'explain',
    summary: 'explain the fields of a file for apply',
    load: () => import('./commands/declare/explain.js'),
  },
  {
    name: 'backup',
    summary: 'back up paths of a client now',
    load: () => import('./commands/backup.js'),
  },
  {
    name: 'restore',
    summary: 'restore an image, or a client as it was at a time',
    load: () => import('./commands/restore.js'),
  },
  {
    name: 'jobs',
    summary: 'list, show, watch, suspend, resume, restart and cancel jobs',
    load: () => import('./commands/jobs.js'),
  },
  {
    name: 'images',
    summary: 'list and show images',
    load: () => import('./commands/images.js'),
  },
  {
    name: 'image',
    summary: 'duplicate, verify, expire, undelete and hold an image',
    load: () => import('./commands/image.js'),
  },
  {
    name: 'files',
    summary: 'list the files of an image',
    load: () => import('./commands/files.js'),
  },
  {
    name: 'find',
    summary: 'find the versions of a path in all images',
    load: () => import('./commands/find.js'),
  },
  {
    name: 'policy',
    summary: 'create, change, list and run policies',
    load: () => import('./commands/policy.js'),
  },
  {
    name: 'unit',
    summary: 'create, change and remove storage units',
    load: () => import('./commands/broker/unit.js'),
  },
  {
    name: 'group',
    summary: 'create, change and remove storage unit groups',
    load: () => import('./commands/broker/group.js'),
  },
  {
    name: 'pool',
    summary: 'declare storage pools',
    load: () => import('./commands/broker/pool.js'),
  },
  {
    name: 'limit',
    summary: 'set how many backups of a client may run at once',
    load: () => import('./commands/broker/limit.js'),
  },
  {
    name: 'broker',
    summary: 'show and steer who gets which resources',
    load: () => import('./commands/broker/broker.js'),
  },
  {
    name: 'library',
    summary: 'show libraries of sequential volumes, answer mount requests, label and eject',
    load: () => import('./commands/operate/library.js'),
  },
  {
    name: 'catalog',
    summary: 'reconcile, rebuild, back up and restore the catalog',
    load: () => import('./commands/catalog.js'),
  },
  {
    name: 'events',
    summary: 'print what happened, and what happens',
    load: () => import('./commands/events.js'),
  },
];

/** The command line of one run. The result's `cli` is known once the arguments are parsed. */
export function buildProgram(world: CliWorld): { program: Command; cli: () => Cli } {
  const program = new Command('holdfast');
  let cli: Cli | undefined;
  const current = () => (cli ??= new Cli(world, program.opts<GlobalOptions>()));
  program
    .description('Back up, browse and restore with a Holdfast cluster.')
    .version(VERSION)
    .option('--json', 'answer in JSON')
    .option('--data <dir>', 'data folder of the cluster (default: .holdfast of the checkout)')
    .option('--nats <url>', "the cluster's NATS address instead, nats://HOST:PORT")
    .option('--credentials <file>', "the operator's nkey file, for --nats")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => world.out.write(text),
      writeErr: (text) => world.err.write(text),
      // What is thrown is reported in one place, in words or in JSON.
      outputError: () => undefined,
    })
    .exitOverride();
  const entries = new Map(COMMANDS.map((entry) => [entry.name, entry]));
  for (const { name, summary } of COMMANDS) program.command(name).description(summary);
  program.hook('preSubcommand', async (_, command) => {
    const { define } = await entries.get(command.name())!.load();
    define(command, current);
  });
  return { program, cli: current };
}
