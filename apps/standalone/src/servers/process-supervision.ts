import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { messageOf, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { lastLines } from './system/command.js';
import { withDeathSignal } from './system/death-signal.js';
import { rotateRunningLog } from './system/log-file.js';
import {
  identityOf,
  isAlive,
  livingProcess,
  type ProcessIdentity,
  writePidFile,
} from './system/process-identity.js';
import type { SystemUser } from './system/system-user.js';

/** One step of stopping: the signal, and how long it may take until the next step follows. */
export interface StopStep {
  readonly signal: NodeJS.Signals;
  readonly waitMs: number;
}

export interface ProcessPlan {
  /** For messages and nothing else: "nats-server". */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Default `/`. */
  readonly cwd?: string;
  readonly user?: SystemUser | undefined;
  /** What the kernel sends it when our process is gone, even after SIGKILL. */
  readonly deathSignal: NodeJS.Signals;
  /** How it is asked to stop; SIGKILL comes after the last step. */
  readonly stopSteps: readonly StopStep[];
  readonly pidFile: string;
  /** Its output is appended here; what is more than 10 MiB is put aside, also while it runs. */
  readonly logFile: string;
  /** For who opens the log file himself, to append. */
  readonly stdio?: StdioOptions;
  /** For tests: see `LOG_CHECK_EVERY_MS`. */
  readonly logCheckEveryMs?: number;
}

export interface SupervisedProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Resolves when it is gone, with words for it: "exit code 1", "signal SIGKILL". */
  readonly exited: Promise<string>;
  readonly hasExited: boolean;
  /** Asks it to stop, step by step, and resolves when it is gone. May be called again. */
  stop(): Promise<void>;
  /** SIGKILL, and resolves when it is gone. */
  kill(): Promise<void>;
}

const POLL_MS = 10;
/** How often is looked whether a log has grown large. */
const LOG_CHECK_EVERY_MS = 60_000;

/**
 * Starts a process that does not outlive ours. The kernel signals it when we die (see
 * `withDeathSignal`); that is bound to our main thread, so call this from there. As a second net its pid file lets the next run find it (`stopLeftover`). It has a session of its own:
 * ctrl-C reaches us alone, and we stop things in their order. It does not keep our event loop alive.
 *
 * Throws `PermanentError` where the command cannot be started.
 */
export async function startSupervised(plan: ProcessPlan): Promise<SupervisedProcess> {
  const log = plan.stdio === undefined ? openSync(plan.logFile, 'a', 0o600) : undefined;
  const child = spawn(...withDeathSignal(plan.deathSignal, plan.command, plan.args), {
    cwd: plan.cwd ?? '/',
    env: plan.env,
    detached: true,
    stdio: plan.stdio ?? ['ignore', log, log],
    ...(plan.user ? { uid: plan.user.uid, gid: plan.user.gid } : {}),
  });
  if (log !== undefined) {
    closeSync(log);
  }
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(messageOf(error)));
    child.once('exit', (code, signal) =>
      resolve(signal ? `signal ${signal}` : `exit code ${code}`),
    );
  });
  const pid = child.pid;
  if (pid === undefined) {
    throw new PermanentError(
      STATUS.cannotConnect,
      `Cannot start ${plan.name} (${plan.command}): ${await exited}`,
    );
  }
  writePidFile(plan.pidFile, pid);
  child.unref();
  return new Supervised(plan, child, pid, exited);
}

/** Stops what an earlier run left behind, if anything; true if there was something. */
export async function stopLeftover(pidFile: string, steps: readonly StopStep[]): Promise<boolean> {
  const leftover = livingProcess(pidFile);
  if (leftover !== undefined) {
    await stopProcess(leftover, steps);
  }
  rmSync(pidFile, { force: true });
  return leftover !== undefined;
}

/** Sends the signals of the steps, then SIGKILL, until the process is gone. */
export async function stopProcess(
  identity: ProcessIdentity,
  steps: readonly StopStep[],
): Promise<void> {
  for (const { signal, waitMs } of [...steps, { signal: 'SIGKILL' as const, waitMs: 5_000 }]) {
    signalTo(identity, signal);
    for (let waited = 0; waited < waitMs; waited += POLL_MS) {
      if (!isAlive(identity)) {
        return;
      }
      await sleep(POLL_MS);
    }
  }
  throw new PermanentError(
    STATUS.cannotConnect,
    `Process ${identity.pid} does not stop, not even with SIGKILL.`,
  );
}

/** The end of a server's log, for a message about why it did not start. */
export function logTail(file: string): string {
  try {
    return lastLines(readFileSync(file, 'utf8'));
  } catch (error) {
    return messageOf(error);
  }
}

class Supervised implements SupervisedProcess {
  hasExited = false;
  private readonly identity: ProcessIdentity | undefined;

  constructor(
    private readonly plan: ProcessPlan,
    readonly child: ChildProcess,
    readonly pid: number,
    readonly exited: Promise<string>,
  ) {
    this.identity = identityOf(pid);
    const logCheck = setInterval(() => this.checkLog(), plan.logCheckEveryMs ?? LOG_CHECK_EVERY_MS);
    logCheck.unref();
    void exited.then(() => {
      clearInterval(logCheck);
      this.hasExited = true;
      rmSync(plan.pidFile, { force: true });
    });
  }

  async stop(): Promise<void> {
    await this.end(this.plan.stopSteps);
  }

  async kill(): Promise<void> {
    await this.end([]);
  }

  private checkLog(): void {
    try {
      rotateRunningLog(this.plan.logFile);
    } catch {
      // There may be no room for it now. A log that cannot be put aside is no reason to end anything.
    }
  }

  private async end(steps: readonly StopStep[]): Promise<void> {
    if (this.identity !== undefined && !this.hasExited) {
      this.child.ref();
      await stopProcess(this.identity, steps);
    }
    await this.exited;
  }
}

function signalTo(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  try {
    if (isAlive(identity)) {
      process.kill(identity.pid, signal);
    }
  } catch (error) {
    if (isAlive(identity)) {
      throw new PermanentError(
        STATUS.cannotConnect,
        `Cannot stop process ${identity.pid}: ${messageOf(error)}`,
      );
    }
  }
}
