import type { Command } from 'commander';
import type { Cli } from '../cli.js';
import { collect, wholeNumber } from '../input/numbers.js';

interface UpOptions {
  readonly database?: string;
  readonly natsPort?: number;
  readonly postgresPort?: number;
  readonly client?: string;
  readonly mediaId?: string;
  readonly volume?: readonly string[];
  readonly library?: readonly string[];
  readonly mediaServer?: readonly string[];
}

const port = (name: string) => wholeNumber(name, 1, 65_535);

export function define(command: Command, cli: () => Cli): void {
  command
    .option(
      '--database <url>',
      'a PostgreSQL that runs already (default: one of its own). A password in it is shown to every user of this machine (ps): give the URL in HOLDFAST_DATABASE_URL instead, or the password in the file that HOLDFAST_DATABASE_PASSWORD_FILE names',
    )
    .option('--nats-port <port>', "its own NATS's port (default: a free one)", port('--nats-port'))
    .option(
      '--postgres-port <port>',
      "its own PostgreSQL's port (default: a free one)",
      port('--postgres-port'),
    )
    .option('--client <name>', "this machine's name as a client (default: its host name)")
    .option(
      '--media-id <name>',
      "its media server's name, the same at each start (default: media1)",
    )
    .option(
      '--volume <pool=[dedup:]folder>',
      'a further volume of it, which deduplicates with "dedup:"; may be given several times',
      collect,
    )
    .option('--library <pool=folder>', 'a library of it with sequential volumes', collect)
    .option(
      '--media-server <name[:pool=[dedup:]folder,...]>',
      'a further media server; without a volume it is only admitted, and started elsewhere',
      collect,
    )
    .action((options: UpOptions) => up(cli(), options));
}

/** Runs until it is told to stop. The services are loaded here: no other command needs them. */
async function up(
  cli: Cli,
  { database, volume, library, mediaServer, ...options }: UpOptions,
): Promise<void> {
  const [{ up: run }, { defaultFolder }] = await Promise.all([
    import('../../../standalone/src/up.js'),
    import('../cluster/default-folder.js'),
  ]);
  const { dataFolder, dataFolderIsDefault } = cli;
  await run({
    ...options,
    dataFolder: dataFolderIsDefault ? await defaultFolder(dataFolder) : dataFolder,
    natsUrl: cli.options.nats,
    databaseUrl: database ?? cli.world.environment.databaseUrl,
    volumes: volume,
    libraries: library,
    mediaServers: mediaServer,
  });
}
