import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { stopLeftover } from '../../apps/standalone/src/servers/process-supervision.js';
import { runCommand } from '../../apps/standalone/src/servers/system/command.js';
import { identityOf } from '../../apps/standalone/src/servers/system/process-identity.js';

const PREFIX = 'holdfast-test-';
/** Hundreds of thousands of files, on a busy disk. */
const REMOVAL_MS_MAX = 300_000;

/**
 * A new folder below the system's temporary one, for this test run. Its name says which process it
 * belongs to, so that a later run can clear up after one that was killed. Whoever makes it removes it.
 */
export async function temporaryFolder(): Promise<string> {
  await clearUpAfterTheDead();
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}.${startTime(process.pid)}-`));
  // PostgreSQL's user has to pass here where root runs the tests; what is inside is closed.
  chmodSync(folder, 0o711);
  return folder;
}

/** Removes a folder with all that is in it. Paths may be longer than the system takes: Node's `rm` fails on those. */
export async function removeFolder(folder: string, msMax = REMOVAL_MS_MAX): Promise<void> {
  const removed = await runCommand('rm', ['-rf', '--one-file-system', '--', folder], {
    timeoutMs: msMax,
  });
  if (removed.code !== 0) {
    throw new Error(`Cannot remove ${folder}: ${removed.stderr}`);
  }
}

/** Stops the servers, undoes the mounts and removes the folders of test runs that are gone. */
async function clearUpAfterTheDead(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((each) => each.startsWith(PREFIX))) {
    const folder = join(tmpdir(), name);
    const [, pid, started] = /^holdfast-test-(\d+)\.(\d+)-/.exec(name) ?? [];
    const isOurs = statSync(folder, { throwIfNoEntry: false })?.uid === process.getuid?.();
    if (pid === undefined || !isOurs || startTime(Number(pid)) === started) {
      continue;
    }
    for (const file of pidFiles(folder)) {
      await stopLeftover(file, [{ signal: 'SIGQUIT', waitMs: 2_000 }]);
    }
    await unmount(folder);
    // Another test process may be at it, too: a test that is about something else does not fail for that.
    await removeFolder(folder).catch((error: unknown) => console.warn(error));
  }
}

/**
 * The folder, and what lies below. Another test process may clear up the same: what is no longer
 * mounted is not a failure.
 */
async function unmount(folder: string): Promise<void> {
  const table = '/proc/self/mounts';
  const lines = existsSync(table) ? readFileSync(table, 'latin1').split('\n') : [];
  const mountPoints = lines.map((line) => line.split(' ')[1] ?? '');
  const isOurs = (point: string): boolean => `${point}/`.startsWith(`${folder}/`);
  for (const point of mountPoints.filter(isOurs).reverse()) {
    await runCommand('umount', ['--lazy', point]);
  }
}

function pidFiles(folder: string): string[] {
  return namesIn(folder)
    .filter((name) => name.endsWith('.pid'))
    .map((name) => join(folder, name));
}

/** None where another test process has just cleared it up. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return [];
  }
}

function startTime(pid: number): string | undefined {
  return identityOf(pid)?.startTime;
}
