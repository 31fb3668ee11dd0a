import { realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { Output } from '../../apps/cli/src/output/output.js';
import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';
import type { SupervisedProcess } from '../../apps/standalone/src/servers/process-supervision.js';
import { startUp } from './demo-cluster.js';
import { makeDemoFolder, type DemoFolder } from './demo-folder.js';
import { DemoRun } from './demo-run.js';
import { HoldfastCommands } from './holdfast-command.js';
import { StepTable } from './step-table.js';

/**
 * `npm run demo [-- PATH]`: starts a cluster of its own, backs PATH up in full and again as an
 * incremental, browses, restores and compares. Exits with 0 only if nothing differs. PATH is only
 * read. Whatever happens, it stops what it started and removes what it made.
 */
const INTERRUPTED = 130;
const USAGE = 64;

const output = new Output(terminal(process.stdout), terminal(process.stderr), {
  json: false,
  plain: Boolean(process.env['NO_COLOR']),
});
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (!interrupted.signal.aborted) console.log('\nStopping what the demo started ...');
    interrupted.abort(new PermanentError(150, 'Interrupted.'));
  });
}
process.exit(await demo());

async function demo(): Promise<number> {
  const checkout = checkoutFolder();
  const path = realPath(resolve(process.argv[2] ?? join(checkout, 'node_modules')));
  if (path === undefined) {
    console.error(`There is no ${process.argv[2]}. Give the demo a folder to back up.`);
    return USAGE;
  }
  let folder: DemoFolder | undefined;
  try {
    folder = await makeDemoFolder(checkout, path);
    return await withCluster(folder, { checkout, path });
  } catch (error) {
    if (interrupted.signal.aborted) return INTERRUPTED;
    const plain = error instanceof PermanentError || error instanceof Unavailable;
    console.error(plain || !(error instanceof Error) ? messageOf(error) : error.stack);
    return 1;
  } finally {
    folder?.remove();
  }
}

async function withCluster(
  folder: DemoFolder,
  { checkout, path }: { checkout: string; path: string },
): Promise<number> {
  const { signal } = interrupted;
  const steps = new StepTable();
  const program = join(checkout, 'bin', 'holdfast');
  const env = { ...process.env, HOLDFAST_DATA: folder.data };
  console.log(`Backing up ${path} and a few odd files with a cluster of the demo's own.`);
  console.log(`\n$ export HOLDFAST_DATA=${folder.data}`);
  const beganMs = performance.now();
  const up = await startUp(folder, { program, env, signal });
  steps.add({ step: 'start', ms: performance.now() - beganMs });
  console.log('  It is ready.');
  let same: boolean;
  try {
    const commands = new HoldfastCommands(program, env, signal);
    same = await new DemoRun({ folder, path, commands, output, steps, signal }).run();
  } finally {
    await stop(up, steps);
  }
  console.log(`\n${steps.lines().join('\n')}`);
  console.log('Sizes count the holes of sparse files; one of the odd files has 9 GiB of them.\n');
  console.log(same ? 'Everything came back as it was.' : 'Something differs: see above.');
  return same ? 0 : 1;
}

async function stop(up: SupervisedProcess, steps: StepTable): Promise<void> {
  console.log('\nStopping the cluster ...');
  const beganMs = performance.now();
  await up.stop();
  steps.add({ step: 'stop', ms: performance.now() - beganMs });
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function terminal(stream: NodeJS.WriteStream) {
  return {
    write: (text: string) => void stream.write(text),
    isTerminal: stream.isTTY ?? false,
    columns: stream.columns || 80,
  };
}
