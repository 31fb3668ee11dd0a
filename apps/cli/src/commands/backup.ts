import type { Command } from 'commander';
import { jobsBackup } from '#contracts/job.js';
import { imageKind, type ImageKind } from '#contracts/names.js';
import { uuidv7 } from '#kernel/ids.js';
import { parseInput } from '#messaging/validation.js';
import type { Cli } from '../cli.js';
import { UsageError } from '../exit-codes.js';
import { collect, wholeNumber } from '../input/numbers.js';
import { localPath } from '../input/paths.js';
import { waitForJob } from '../job/wait-for-job.js';

interface BackupOptions {
  readonly client?: string;
  readonly type: ImageKind;
  readonly synthetic?: true;
  readonly exclude?: readonly string[];
  readonly storage?: string;
  readonly crossMountPoints?: true;
  readonly level?: number;
  readonly wait: boolean;
}

const ZSTD_LEVEL_MAX = 19;

export function define(command: Command, cli: () => Cli): void {
  command
    .argument('<path...>', 'files and folders; relative ones from here')
    .option('--client <name>', 'the client to back up (default: this machine)')
    .option('--type <kind>', 'full, differential or cumulative', kindOf, 'full')
    .option('--synthetic', 'a full made of the last one and what came since; reads no client')
    .option('--exclude <glob>', 'leave out what matches; may be given several times', collect)
    .option('--storage <unit>', 'storage unit (default: default)')
    .option('--cross-mount-points', 'walk into other file systems below the paths')
    .option('--level <n>', 'Zstandard level, 1 to 19', wholeNumber('--level', 1, ZSTD_LEVEL_MAX))
    .option('--no-wait', 'only submit the job and print its number')
    .action((paths: string[], options: BackupOptions) => backup(cli(), paths, options));
}

async function backup(cli: Cli, paths: readonly string[], options: BackupOptions): Promise<void> {
  const selections = paths.map((path) => localPath(path, cli.world.workingFolder));
  await cli.withCluster(async (cluster) => {
    const request = parseInput(jobsBackup.request, {
      client: options.client ?? cluster.address.client,
      kind: options.type,
      synthetic: options.synthetic,
      selections,
      excludes: options.exclude,
      storage: options.storage,
      crossMountPoints: options.crossMountPoints,
      compressionLevel: options.level,
      requestId: uuidv7(cli.now()),
    });
    const { job } = await cluster.submit(jobsBackup, request);
    if (options.wait) return waitForJob(cli, cluster, { job, onInterrupt: 'detach' });
    cli.answer({ job }, (output) => {
      output.line(`Job ${job} is submitted. Watch it with: holdfast jobs watch ${job}`);
    });
  });
}

function kindOf(text: string): ImageKind {
  const kind = imageKind.safeParse(text);
  if (kind.success) return kind.data;
  throw new UsageError(`--type is full, differential or cumulative, not "${text}".`, 'type');
}
