import childProcess from 'node:child_process';
import fs from 'node:fs';
import { open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Loaded with `--import` before `holdfast up` in a lab that is to find something wrong: a sync of a file (or folder)
 * whose path matches HOLDFAST_LAB_SKIP_SYNC does nothing. The media server is a process of its own, so it is
 * started with this module, too. Nothing that is shipped knows of it.
 */
const pattern = process.env['HOLDFAST_LAB_SKIP_SYNC'];
if (pattern) {
  await sabotage(new RegExp(pattern));
  passOn(import.meta.url);
}

type Sync = (fd: number, ...rest: unknown[]) => unknown;
type HandleSync = (this: { fd: number }) => Promise<void>;

async function sabotage(skipped: RegExp): Promise<void> {
  const isSkipped = (fd: number): boolean => {
    const isIt = skipped.test(fs.readlinkSync(`/proc/self/fd/${fd}`));
    if (isIt) process.stderr.write(`Sabotage: no sync of descriptor ${fd}\n`);
    return isIt;
  };
  const handle = await open('/dev/null', 'r');
  const prototype = Object.getPrototypeOf(handle) as Record<'sync' | 'datasync', HandleSync>;
  await handle.close();
  for (const name of ['sync', 'datasync'] as const) {
    const original = prototype[name];
    prototype[name] = function (this: { fd: number }) {
      return isSkipped(this.fd) ? Promise.resolve() : original.call(this);
    };
  }
  const mutable = fs as unknown as Record<string, Sync>;
  for (const name of ['fsyncSync', 'fdatasyncSync']) {
    const original = mutable[name]!;
    mutable[name] = (fd) => (isSkipped(fd) ? undefined : original(fd));
  }
  for (const name of ['fsync', 'fdatasync']) {
    const original = mutable[name]!;
    mutable[name] = (fd, ...rest) => {
      if (!isSkipped(fd)) return original(fd, ...rest);
      return process.nextTick(rest.at(-1) as () => void, null);
    };
  }
  syncBuiltinESMExports();
}

/** Has every media server that this process starts load this module as well. */
function passOn(url: string): void {
  const { spawn } = childProcess;
  childProcess.spawn = ((command: string, args: readonly string[], options: object) => {
    const main = args.findIndex((arg) => arg.endsWith('/apps/media/src/main.js'));
    const changed = main < 0 ? args : args.toSpliced(main, 0, '--import', url);
    return spawn(command, changed, options);
  }) as typeof spawn;
  syncBuiltinESMExports();
}
