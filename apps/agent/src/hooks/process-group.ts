import { readFileSync } from 'node:fs';

import { codeOf } from '#kernel/errors.js';
import { sleep } from '#kernel/backoff.js';

/** How long a process that was asked to end may take before it is killed. */
const KILL_AFTER_MS = 5_000;
const LOOK_MS = 25;

/** A process of ours, so named that another one that got its number later is not taken for it. */
export interface ProcessName {
  readonly pid: number;
  /** Clock ticks since the start of the system; null where the system does not tell. */
  readonly startedAt: string | null;
}

/** The name of a process that runs now. */
export function processName(pid: number): ProcessName {
  return { pid, startedAt: startOf(pid) };
}

/** Whether it runs still. False where that cannot be known. */
export function isStillRunning({ pid, startedAt }: ProcessName): boolean {
  return startedAt !== null && startOf(pid) === startedAt;
}

/**
 * Ends the group that a process leads: SIGTERM, and SIGKILL for what is left of it 5 s later. What runs as another
 * user (by `sudo`) may not let itself be ended by this process; that is left alone.
 */
export async function endGroup(leader: number, killAfterMs = KILL_AFTER_MS): Promise<void> {
  if (!signalGroup(leader, 'SIGTERM')) return;
  for (let waitedMs = 0; waitedMs < killAfterMs; waitedMs += LOOK_MS) {
    await sleep(LOOK_MS);
    if (!signalGroup(leader, 0)) return;
  }
  signalGroup(leader, 'SIGKILL');
}

/** False where nothing of the group is left. */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
    if (codeOf(error) === 'EPERM') return true;
    throw error;
  }
}

/** Field 22 of /proc/PID/stat; the second one, a name in brackets, may hold anything. */
function startOf(pid: number): string | null {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null; // it is gone, or this system has no /proc
  }
}
