import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { stopLeftover } from '../../apps/standalone/src/servers/process-supervision.js';
import { identityOf } from '../../apps/standalone/src/servers/system/process-identity.js';

const PREFIX = 'holdfast-test-';

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

/** Stops the servers and removes the folders of test runs that are gone. */
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
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function pidFiles(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.filter((name) => name.endsWith('.pid')).map((name) => join(folder, name));
}

function startTime(pid: number): string | undefined {
  return identityOf(pid)?.startTime;
}
