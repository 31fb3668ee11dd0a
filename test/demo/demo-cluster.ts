import { setTimeout as sleep } from 'node:timers/promises';

import { PermanentError } from '#kernel/errors.js';
import { readClusterFile } from '../../apps/standalone/src/cluster-file.js';
import {
  logTail,
  startSupervised,
  type SupervisedProcess,
} from '../../apps/standalone/src/servers/process-supervision.js';
import { UP_STOP_STEPS, type DemoFolder } from './demo-folder.js';
import { printCommand } from './holdfast-command.js';

const READY_MS_MAX = 120_000;
const POLL_MS = 20;

/** Runs `holdfast up` in a process that ends with ours, and resolves when it is ready. */
export async function startUp(
  folder: DemoFolder,
  how: { program: string; env: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<SupervisedProcess> {
  printCommand(['up']);
  const up = await startSupervised({
    name: 'holdfast up',
    command: process.execPath,
    args: [how.program, 'up'],
    env: how.env,
    cwd: process.cwd(),
    deathSignal: 'SIGTERM',
    stopSteps: UP_STOP_STEPS,
    pidFile: folder.upPidFile,
    logFile: folder.upLog,
  });
  try {
    await untilReady(folder, up, how.signal);
    return up;
  } catch (error) {
    await up.stop();
    throw error;
  }
}

async function untilReady(
  folder: DemoFolder,
  up: SupervisedProcess,
  signal: AbortSignal,
): Promise<void> {
  for (let waitedMs = 0; readClusterFile(folder.data) === undefined; waitedMs += POLL_MS) {
    signal.throwIfAborted();
    if (up.hasExited) {
      throw new PermanentError(
        2,
        `holdfast up ended (${await up.exited}):\n${logTail(folder.upLog)}`,
      );
    }
    if (waitedMs > READY_MS_MAX) {
      throw new PermanentError(41, `holdfast up is not ready yet:\n${logTail(folder.upLog)}`);
    }
    await sleep(POLL_MS);
  }
}
