import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import { PermanentError } from '#kernel/errors.js';
import { reachableDataFolder } from '../../apps/standalone/src/servers/data-folder.js';
import { stopLeftover } from '../../apps/standalone/src/servers/process-supervision.js';
import { identityOf } from '../../apps/standalone/src/servers/system/process-identity.js';
import { removeTree } from '../support/odd-tree.js';

/** Everything that a run of the demo makes lies here; `remove` leaves nothing. */
export interface DemoFolder {
  readonly path: string;
  /** The cluster's data folder. */
  readonly data: string;
  /** A small tree of odd files that the demo changes between its backups. */
  readonly odd: string;
  readonly restored: string;
  readonly upPidFile: string;
  readonly upLog: string;
  remove(): void;
}

const NAME = /^holdfast-demo-(\d+)\.(\d+)$/;
export const UP_STOP_STEPS = [{ signal: 'SIGTERM', waitMs: 30_000 }] as const;

/**
 * Makes a folder for this run: in the checkout's cache, or below the system's temporary folder where
 * PostgreSQL's user cannot get into the checkout, or where the former lies in what is backed up.
 * Removes what demos left that were killed.
 */
export async function makeDemoFolder(checkout: string, backedUp: string): Promise<DemoFolder> {
  const places = [join(checkout, '.cache'), tmpdir()];
  for (const place of places) await clearUpAfterTheDead(place);
  const name = `holdfast-demo-${process.pid}.${identityOf(process.pid)?.startTime ?? 0}`;
  for (const place of places) {
    const path = join(place, name);
    const data = join(path, 'data');
    if (isInside(path, backedUp) || (await reachableDataFolder(data)) !== data) continue;
    mkdirSync(path, { recursive: true });
    // PostgreSQL's user has to pass here where root runs the demo; what is inside is closed.
    chmodSync(path, 0o711);
    return {
      path,
      data,
      odd: join(path, 'odd'),
      restored: join(path, 'restored'),
      upPidFile: join(path, 'up.pid'),
      upLog: join(path, 'up.log'),
      remove: () => removeTree(path),
    };
  }
  throw new PermanentError(
    20,
    `The demo needs a folder outside of ${backedUp}. Set TMPDIR to one, or name a smaller folder.`,
  );
}

async function clearUpAfterTheDead(place: string): Promise<void> {
  const names = existsSync(place) ? readdirSync(place) : [];
  for (const name of names) {
    const [, pid, startTime] = NAME.exec(name) ?? [];
    if (pid === undefined || identityOf(Number(pid))?.startTime === startTime) continue;
    await stopLeftover(join(place, name, 'up.pid'), UP_STOP_STEPS);
    removeTree(join(place, name));
  }
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || !(way.startsWith('../') || way === '..' || way.startsWith('/'));
}
