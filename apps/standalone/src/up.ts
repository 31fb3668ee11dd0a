import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { ConsoleLogger, Logger } from '@nestjs/common';
import { clientName } from '#contracts/names.js';
import { SystemClock } from '#kernel/clock.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { VERSION } from '#service/version.js';
import { removeClusterFile, writeClusterFile } from './cluster-file.js';
import { Cluster } from './cluster.js';
import { mediaPlans, type MediaWishes } from './media-plan.js';
import { checkoutFolder } from './servers/checkout-folder.js';
import { openDataFolder, reachableDataFolder } from './servers/data-folder.js';

export interface UpOptions extends MediaWishes {
  /** All state lives below it; made when missing. */
  readonly dataFolder: string;
  /** A nats-server that runs already, instead of one of our own. */
  readonly natsUrl?: string | undefined;
  /** A PostgreSQL that runs already (postgres://USER:PASSWORD@HOST:PORT/DATABASE). */
  readonly databaseUrl?: string | undefined;
  /** Ports that must be these; free ones are chosen otherwise. */
  readonly natsPort?: number | undefined;
  readonly postgresPort?: number | undefined;
  /** This machine's name as a client; default: its host name. */
  readonly client?: string | undefined;
}

/**
 * The heap of the services may grow to twice what is alive before V8 collects all of it, not to four times: while 10,000
 * jobs come in and wait they gain 37 MiB instead of 95 (docs/performance.md).
 */
const SERVICES_HEAP = '--heap-growing-percent=100';

/**
 * Runs the whole cluster on this machine in the foreground, until SIGINT or SIGTERM; then stops all
 * that it started and resolves. Throws `PermanentError` for what a person has to mend.
 */
export async function up(options: UpOptions): Promise<void> {
  setFlagsFromString(SERVICES_HEAP);
  Logger.overrideLogger(new ConsoleLogger({ prefix: 'holdfast', colors: false }));
  const began = process.hrtime.bigint();
  const client = clientFrom(options);
  const media = mediaPlans(options, join(resolve(options.dataFolder), 'media'));
  requirePlain(options.dataFolder);
  const folder = await openDataFolder(options.dataFolder);
  const names = { client, mediaId: media[0]!.mediaId };
  const cluster = new Cluster({ folder, checkout: checkoutFolder(), ...options, client, media });
  const ended = untilAskedToStop(cluster);
  try {
    const started = await Promise.race([cluster.start(), ended]);
    if (started instanceof Error) throw started;
    if (started === 'asked') return say('Stopping before it was ready ...');
    const { natsUrl } = started;
    writeClusterFile(folder.path, {
      natsUrl,
      pid: process.pid,
      startedAt: new SystemClock().now().toISOString(),
      version: VERSION,
      ...names,
    });
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    say(`Ready in ${seconds.toFixed(1)} s. Client ${names.client}, media server ${names.mediaId}.`);
    say(`Data folder ${folder.path}, NATS ${natsUrl}. Stop with ctrl-C.`);
    const why = await ended;
    if (why instanceof Error) throw why;
    say('Stopping ...');
  } finally {
    removeClusterFile(folder.path);
    await cluster.stop();
    folder.close();
  }
  say('Stopped.');
}

/** Lists of folders reach other processes in one variable. */
function requirePlain(dataFolder: string): void {
  const path = resolve(dataFolder);
  if (!/[,:]/.test(path)) return;
  throw new PermanentError(
    STATUS.invalidParameter,
    `A data folder's path may hold no "," and no ":", unlike ${path}. Name another one with --data.`,
    'data',
  );
}

function clientFrom(options: UpOptions): string {
  const client = options.client ?? hostname();
  if (clientName.safeParse(client).success) return client;
  throw new PermanentError(
    STATUS.invalidParameter,
    `"${client}" cannot be a client's name (letters, digits, ".", "_", "-"). Give one with --client.`,
    'client',
  );
}

function untilAskedToStop(cluster: Cluster): Promise<'asked' | Error> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve('asked'));
    process.once('SIGTERM', () => resolve('asked'));
    void cluster.failed.then(resolve);
  });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The folder that is used when nobody names one: `.holdfast` in the checkout, where it can be. */
export async function defaultDataFolder(checkout: string): Promise<string> {
  return reachableDataFolder(join(checkout, '.holdfast'));
}
