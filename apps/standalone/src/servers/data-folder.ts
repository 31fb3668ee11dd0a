import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { messageOf, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { type FileLock, lockFile, lockHolder } from './system/file-lock.js';
import { firstBarrier, postgresUser, type SystemUser } from './system/system-user.js';

/**
 * One machine's state, all of it below one folder that only its owner can enter (0700):
 *
 * | what | |
 * |---|---|
 * | `holdfast.json` | says that this is a data folder, and of which layout |
 * | `lock` | held by the one `holdfast up` that runs on it |
 * | `ports.json` | the ports of the last run |
 * | `credentials/` | NATS seeds, PostgreSQL passwords, 0600 each |
 * | `nats/` | the generated configuration and JetStream's files |
 * | `postgres/` | the database cluster |
 * | `media/`, `agent/` | journals and caches of those services |
 * | `logs/`, `run/` | what the servers say; pid files |
 *
 * PostgreSQL refuses to run as root. Where root runs Holdfast, `postgres/` belongs to the user that
 * PostgreSQL runs as, whose group may pass through the folder (0710) to get there. All else is root's:
 * whoever owns a folder may put something else in the place of whatever lies in it.
 */
export interface DataFolder {
  readonly path: string;
  readonly credentials: string;
  readonly nats: string;
  readonly postgres: string;
  readonly media: string;
  readonly agent: string;
  readonly logs: string;
  readonly run: string;
  readonly portsFile: string;
  /** Whom PostgreSQL runs as; `undefined`: as we do. */
  readonly postgresUser: SystemUser | undefined;
  /** Gives the lock back. The folder stays. */
  close(): void;
}

const LAYOUT_VERSION = 1;
const MARKER = 'holdfast.json';
const SUBFOLDERS = ['credentials', 'nats', 'media', 'agent', 'logs', 'run'] as const;

/**
 * Makes the folder where it is missing, and locks it. Throws `PermanentError` where another process
 * has it, where it holds something else, and where PostgreSQL's user could not reach it.
 */
export async function openDataFolder(wanted: string): Promise<DataFolder> {
  const path = resolve(wanted);
  const user = postgresUser(join(path, 'postgres'));
  await requireReachable(path, user);
  makeFolder(path, user);
  const lock = takeLock(path);
  try {
    const sub = Object.fromEntries(SUBFOLDERS.map((name) => [name, join(path, name)]));
    for (const folder of Object.values(sub)) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    }
    return {
      ...(sub as Record<(typeof SUBFOLDERS)[number], string>),
      path,
      postgres: join(path, 'postgres'),
      portsFile: join(path, 'ports.json'),
      postgresUser: user,
      close: () => lock.release(),
    };
  } catch (error) {
    lock.release();
    throw unusable(path, error);
  }
}

/**
 * The folder itself where PostgreSQL's user can reach it; else one that it can reach, below
 * /var/lib, named after the first. For defaults only: a folder a person named is never swapped.
 */
export async function reachableDataFolder(wanted: string): Promise<string> {
  const path = resolve(wanted);
  const user = postgresUser(join(path, 'postgres'));
  return (await barrierTo(path, user)) === undefined ? path : reachableNameFor(path);
}

/** That user will be let through the folder itself; what matters is the way to it, as far as there is one. */
async function barrierTo(path: string, user: SystemUser | undefined): Promise<string | undefined> {
  let way = dirname(path);
  while (!existsSync(`${way}/.`)) {
    way = dirname(way);
  }
  return user && firstBarrier(user, way);
}

function reachableNameFor(path: string): string {
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 8);
  return `/var/lib/${basename(path).replace(/^\.+/, '')}-${hash}`;
}

function makeFolder(path: string, user: SystemUser | undefined): void {
  try {
    // What leads to it gets the usual mode: PostgreSQL's user has to pass there.
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const found = readdirSync(path).filter((name) => name !== 'lost+found');
    if (found.length > 0 && !found.includes(MARKER)) {
      throw new PermanentError(
        STATUS.fileOpenFailed,
        `${path} holds something that is not Holdfast's ("${found[0]}"). Name another folder.`,
      );
    }
    if (user !== undefined) {
      // Earlier versions gave that user the folder itself.
      chownSync(path, 0, user.gid);
      requireRootsOwn(path, found);
    }
    // Also tightens a folder that was made by hand.
    chmodSync(path, user === undefined ? 0o700 : 0o710);
    if (found.includes(MARKER)) requireKnownLayout(join(path, MARKER));
    else {
      writeFileSync(join(path, MARKER), `${JSON.stringify({ layout: LAYOUT_VERSION })}\n`);
    }
  } catch (error) {
    throw unusable(path, error);
  }
}

/** One that is empty or torn (it was made just before a loss of power) says nothing. */
function requireKnownLayout(marker: string): void {
  const layout = Number(/"layout":(\d+)/.exec(readFileSync(marker, 'utf8'))?.[1] ?? LAYOUT_VERSION);
  if (layout <= LAYOUT_VERSION) return;
  throw new PermanentError(
    STATUS.fileOpenFailed,
    `${marker} says that a later version of Holdfast made this folder (layout ${layout}, here ` +
      `${LAYOUT_VERSION}). Start that version, or name another folder.`,
  );
}

/**
 * Of a folder that another user could change until now: what he may have put there is not used. Copies of `postgres/`
 * that a person has beside it nobody uses by themselves.
 */
function requireRootsOwn(path: string, found: readonly string[]): void {
  for (const name of found.filter((each) => !each.startsWith('postgres'))) {
    const entry = join(path, name);
    const owners = [lstatSync(entry), statSync(entry, { throwIfNoEntry: false })];
    const other = owners.find((owner) => owner !== undefined && owner.uid !== 0)?.uid;
    if (other === undefined) continue;
    throw new PermanentError(
      STATUS.fileOpenFailed,
      `${entry} belongs to user ${other}, not to root, who runs Holdfast. Where that is right, give ` +
        `it to root (chown -R root ${entry}) and start again.`,
    );
  }
}

async function requireReachable(path: string, user: SystemUser | undefined): Promise<void> {
  const barrier = await barrierTo(path, user);
  if (barrier !== undefined) {
    throw new PermanentError(
      STATUS.fileOpenFailed,
      `PostgreSQL does not run as root; it runs as user "${user?.name}", who cannot enter ${barrier}. ` +
        `Name a data folder outside of it, for example ${reachableNameFor(path)}, or run Holdfast as ` +
        'an ordinary user.',
    );
  }
}

function takeLock(path: string): FileLock {
  const file = join(path, 'lock');
  let lock: FileLock | undefined;
  try {
    lock = lockFile(file);
  } catch (error) {
    throw unusable(path, error);
  }
  if (lock === undefined) {
    throw new PermanentError(
      STATUS.fileOpenFailed,
      `Another Holdfast runs on ${path} (process ${lockHolder(file)}). Stop it first, or name ` +
        'another data folder.',
    );
  }
  return lock;
}

function unusable(path: string, error: unknown): PermanentError {
  return error instanceof PermanentError
    ? error
    : new PermanentError(
        STATUS.fileOpenFailed,
        `Cannot use ${path} as the data folder: ${messageOf(error)}.`,
      );
}
