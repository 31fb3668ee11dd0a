import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';

/**
 * Which process a pid file means. Process ids are used again, so the time the process started and
 * the boot it started in belong to it: without them a stranger could be taken for ours, and shot.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, as text (field 22 of /proc/PID/stat). */
  readonly startTime: string;
  readonly boot: string;
}

/** Who has that process id now; `undefined` if nobody, or only a zombie that waits to be reaped. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  // The name in brackets may hold anything, brackets and spaces too, so count from its end.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  const [state, startTime] = [fields[0], fields[19]];
  if (startTime === undefined || state === 'Z' || state === 'X') {
    return undefined;
  }
  return { pid, startTime, boot: readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? '' };
}

export function isAlive(identity: ProcessIdentity): boolean {
  const now = identityOf(identity.pid);
  return now?.startTime === identity.startTime && now.boot === identity.boot;
}

export function writePidFile(file: string, pid: number): void {
  const identity = identityOf(pid);
  if (identity !== undefined) {
    writeFileSync(file, `${JSON.stringify(identity)}\n`, { mode: 0o600 });
  }
}

/** The process that a pid file names, if it still lives. A file cut short by a crash names none. */
export function livingProcess(file: string): ProcessIdentity | undefined {
  const [, pid, startTime, boot] =
    /"pid":(\d+),"startTime":"(\d+)","boot":"([^"]*)"/.exec(readIfThere(file) ?? '') ?? [];
  if (pid === undefined || startTime === undefined || boot === undefined) {
    return undefined;
  }
  const identity = { pid: Number(pid), startTime, boot };
  return isAlive(identity) ? identity : undefined;
}

/** The working folder of a process, where we may know it. */
export function workingFolderOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined; // gone, or another user's
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // no such process or file
  }
}
