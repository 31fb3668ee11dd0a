import { readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { codeOf, InvalidInput, messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { UsageError } from '../exit-codes.js';

/** What `holdfast up` writes into `run/cluster.json` of its data folder once it is ready. */
export const clusterFile = z.object({
  natsUrl: z.string(),
  pid: z.int().positive(),
  startedAt: z.string(),
  version: z.string(),
  /** The client that commands mean when they name none: this machine. */
  client: z.string(),
  mediaId: z.string(),
});
export type ClusterFile = z.infer<typeof clusterFile>;

export interface ClusterAddress {
  readonly natsUrl: string;
  readonly seed: string;
  /** The client that commands mean when they name none. */
  readonly client: string;
  /** Undefined where the address was given with `--nats`. */
  readonly running: (ClusterFile & { readonly dataFolder: string }) | undefined;
}

export interface Whereabouts {
  readonly dataFolder: string;
  readonly nats?: string | undefined;
  readonly credentials?: string | undefined;
}

/**
 * Finds out how to reach the cluster: `--nats` and `--credentials` as they are, otherwise what the
 * data folder says. Throws `Unavailable` where no cluster runs.
 */
export function findCluster(where: Whereabouts): ClusterAddress {
  const { nats, credentials } = where;
  const folder = resolve(where.dataFolder);
  const running = nats === undefined ? runningCluster(folder) : undefined;
  const seedFile = resolve(credentials ?? join(folder, 'credentials', 'operator.nk'));
  const seed = readSeed(seedFile, folder);
  return {
    natsUrl: nats ?? running!.natsUrl,
    seed,
    client: running?.client ?? ownName(),
    running: running && { ...running, dataFolder: folder },
  };
}

function runningCluster(folder: string): ClusterFile {
  const file = join(folder, 'run', 'cluster.json');
  const text = readText(file, folder);
  const found = text === undefined ? undefined : parse(file, text);
  if (found === undefined || !isAlive(found.pid)) throw notRunning(folder);
  return found;
}

function notRunning(folder: string): Unavailable {
  return new Unavailable(`Holdfast is not running here (${folder}). Start it with: holdfast up`);
}

function parse(file: string, text: string): ClusterFile {
  try {
    return clusterFile.parse(JSON.parse(text));
  } catch {
    throw new PermanentError(
      STATUS.systemError,
      `${file} is damaged. Stop "holdfast up" and start it again; it writes the file anew.`,
    );
  }
}

function readText(file: string, folder: string): string | undefined {
  try {
    if (statSync(file, { throwIfNoEntry: false }) === undefined) return undefined;
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'EACCES') throw notAllowed(folder);
    throw new Unavailable(`Cannot read ${file}: ${messageOf(error)}.`);
  }
}

function notAllowed(folder: string): Unavailable {
  return new Unavailable(
    `${folder} belongs to another user. Run this as the user who runs "holdfast up".`,
    STATUS.accessNotAllowed,
  );
}

function readSeed(file: string, folder: string): string {
  const text = readText(file, folder);
  if (text === undefined) {
    throw new UsageError(
      `There are no credentials at ${file}. Name the operator's nkey file with --credentials.`,
      'credentials',
    );
  }
  const seed = text.trim();
  if (!/^SU[A-Z2-7]{56}$/.test(seed)) {
    throw new InvalidInput(`${file} holds no nkey seed of a user ("SU..." and 56 letters).`);
  }
  return seed;
}

/** A process of another user counts: it refuses the signal, so it exists. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** The host's name as a client name has to be. */
function ownName(): string {
  return hostname().replace(/[^A-Za-z0-9._-]/g, '-');
}
