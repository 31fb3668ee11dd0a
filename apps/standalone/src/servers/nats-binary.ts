import { copyFileSync, chmodSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import { InvalidInput, messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { unpackDebianPackage } from './debian/debian-package.js';
import { commandPaths, isAtLeast, probeBinary, type ServerBinary } from './server-binary.js';
import { lockFile } from './system/file-lock.js';

export interface NatsBinarySearch {
  /** `HOLDFAST_NATS_SERVER` and `PATH` are read from here. */
  readonly env: NodeJS.ProcessEnv;
  /** The project's cache of fetched servers. */
  readonly cache: string;
}

/** Filter lists of consumers, and `sync_interval`, need it. */
const VERSION_MIN = '2.10';

/** The stable release of Debian that has it (2.10.27); its binary needs libc 2.34 and nothing else. */
const RELEASE = 'trixie';

const FETCH_WAIT_MS_MAX = 600_000;

/**
 * nats-server 2.10 or later: the one `HOLDFAST_NATS_SERVER` names, else one on the PATH, else one
 * that was fetched before. `undefined` where there is none; throws where the named one is unfit.
 */
export async function findNatsServer(search: NatsBinarySearch): Promise<ServerBinary | undefined> {
  const named = search.env['HOLDFAST_NATS_SERVER'];
  if (named) {
    return requireFit(named);
  }
  for (const path of [...commandPaths('nats-server', search.env), cachedPath(search)]) {
    const found = await probeBinary(path, 'nats-server');
    if (found !== undefined && isAtLeast(found.version, VERSION_MIN)) {
      return found;
    }
  }
  return undefined;
}

/** The one that is there, else a fetched one. */
export async function findOrFetchNatsServer(search: NatsBinarySearch): Promise<ServerBinary> {
  return (await findNatsServer(search)) ?? (await fetchNatsServer(search));
}

/**
 * Fetches nats-server from Debian into the cache. Two at once are safe: the second one waits, and
 * takes what the first one fetched.
 */
export async function fetchNatsServer(search: NatsBinarySearch): Promise<ServerBinary> {
  mkdirSync(search.cache, { recursive: true });
  const lock = lockFile(join(search.cache, 'lock'), FETCH_WAIT_MS_MAX);
  if (lock === undefined) {
    throw new Unavailable('Another process has been fetching nats-server for ten minutes.');
  }
  try {
    return (await findNatsServer(search)) ?? (await fetchIntoCache(search));
  } catch (error) {
    throw new PermanentError(STATUS.cannotConnect, howToHelp(messageOf(error)));
  } finally {
    lock.release();
  }
}

async function fetchIntoCache(search: NatsBinarySearch): Promise<ServerBinary> {
  const unpacked = await unpackDebianPackage({
    name: 'nats-server',
    release: RELEASE,
    workFolder: search.cache,
    env: search.env,
  });
  try {
    // Into its place in one step: a half-copied server is never found.
    const draft = `${cachedPath(search)}.new`;
    copyFileSync(join(unpacked.root, 'usr/sbin/nats-server'), draft);
    chmodSync(draft, 0o755);
    renameSync(draft, cachedPath(search));
  } finally {
    unpacked.discard();
  }
  return requireFit(cachedPath(search));
}

async function requireFit(path: string): Promise<ServerBinary> {
  const found = await probeBinary(path, 'nats-server');
  if (found === undefined || !isAtLeast(found.version, VERSION_MIN)) {
    const what =
      found === undefined ? 'is no nats-server that runs' : `is version ${found.version}`;
    throw new InvalidInput(
      `${path} ${what}; Holdfast needs nats-server ${VERSION_MIN} or later.`,
      'HOLDFAST_NATS_SERVER',
    );
  }
  return found;
}

function cachedPath(search: NatsBinarySearch): string {
  return join(search.cache, 'nats-server');
}

function howToHelp(reason: string): string {
  return (
    `${reason}\n` +
    `Holdfast needs nats-server ${VERSION_MIN} or later and could not fetch it. Mend the above and ` +
    'try again, or get one by hand and name it: export HOLDFAST_NATS_SERVER=/path/to/nats-server'
  );
}
