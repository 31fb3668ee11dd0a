import type { Command } from 'commander';
import { jobsRestore, type RestoreRequest } from '#contracts/job.js';
import { uuidv7 } from '#kernel/ids.js';
import { parseInput } from '#messaging/validation.js';
import type { Cli } from '../cli.js';
import { UsageError } from '../exit-codes.js';
import { imageIdOf } from '../input/image-id.js';
import { imagePath, localPath } from '../input/paths.js';
import { parseTime } from '../input/time.js';
import { waitForJob } from '../job/wait-for-job.js';

interface RestoreOptions {
  readonly to: string;
  readonly client?: string;
  readonly at?: string;
  readonly policy?: string;
  readonly toClient?: string;
  readonly overwrite?: true;
  readonly only?: true;
  readonly wait: boolean;
}

export function define(command: Command, cli: () => Cli): void {
  command
    .usage(
      'IMAGE [PATH...] --to DIR\n       holdfast restore --at TIME [--client C] [PATH...] --to DIR',
    )
    .argument('[image-and-paths...]', 'the image, then paths in it (default: all)')
    .requiredOption('--to <dir>', 'folder to restore into; made when missing')
    .option('--client <name>', 'with --at: whose files (default: this machine)')
    .option('--at <time>', 'the files as they were then: 2026-01-31, "2026-01-31 18:00", "2h ago"')
    .option('--policy <name>', 'with --at: images of this policy only')
    .option('--to-client <name>', 'restore on another client (default: the one backed up)')
    .option('--overwrite', 'replace files that exist')
    .option('--only', 'only what this image holds, without what it builds on')
    .option('--no-wait', 'only submit the job and print its number')
    .action((args: string[], options: RestoreOptions) => restore(cli(), args, options));
}

async function restore(cli: Cli, args: readonly string[], options: RestoreOptions): Promise<void> {
  const destination = localPath(options.to, cli.world.workingFolder);
  const fromTime = options.at !== undefined;
  checkOptions(args, options, fromTime);
  const paths = (fromTime ? args : args.slice(1)).map(imagePath);
  await cli.withCluster(async (cluster) => {
    const source: RestoreRequest['source'] = fromTime
      ? {
          client: options.client ?? cluster.address.client,
          at: parseTime(options.at!, cli.now()).toISOString(),
          ...(options.policy === undefined ? {} : { policy: options.policy }),
        }
      : { imageId: imageIdOf(args[0]!), exact: options.only ?? false };
    const request = parseInput(jobsRestore.request, {
      source,
      paths,
      destination,
      overwrite: options.overwrite,
      toClient: options.toClient,
      requestId: uuidv7(cli.now()),
    });
    const { job } = await cluster.submit(jobsRestore, request);
    if (options.wait) {
      return waitForJob(cli, cluster, { job, onInterrupt: 'cancel', destination });
    }
    cli.answer({ job }, (output) => {
      output.line(`Job ${job} is submitted. Watch it with: holdfast jobs watch ${job}`);
    });
  });
}

/** What belongs together; checked before anything is asked. */
function checkOptions(args: readonly string[], options: RestoreOptions, fromTime: boolean): void {
  if (!fromTime && args.length === 0) {
    throw new UsageError('Name an image (see: holdfast images), or a time with --at.');
  }
  if (!fromTime && (options.client ?? options.policy) !== undefined) {
    throw new UsageError('--client and --policy go with --at; an image has its own.');
  }
  if (fromTime && options.only) {
    throw new UsageError('--only goes with an image, not with --at.');
  }
}
