import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Of Linux, on every machine that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Resident memory in KiB. */
export interface Memory {
  readonly now: number;
  /** The most since the process began, or since `forgetPeak`. */
  readonly peak: number;
  readonly anonymous: number;
  readonly files: number;
  readonly shared: number;
}

/** A process and all below it, without those that are named and what is below them. */
export function treeOf(pid: number, without: ReadonlySet<number> = new Set()): number[] {
  const children = childrenOf(pid).filter((child) => !without.has(child));
  return [pid, ...children.flatMap((child) => treeOf(child, without))];
}

export function childrenOf(pid: number): number[] {
  return namesIn(`/proc/${pid}/task`).flatMap((thread) =>
    textOf(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
}

/** CPU seconds of a process so far, and of those children that have ended and were waited for. */
export function cpuSecondsOf(pid: number): { own: number; endedChildren: number } {
  const fields = fieldsOf(pid);
  const seconds = (from: number) =>
    (Number(fields[from] ?? 0) + Number(fields[from + 1] ?? 0)) / TICKS_PER_SECOND;
  return { own: seconds(11), endedChildren: seconds(13) };
}

/** CPU seconds that everything on the machine together has used so far, interrupts included. */
export function machineCpuSeconds(): number {
  const [, user, nice, system, , , irq, softirq] = textOf('/proc/stat').split('\n')[0]!.split(/ +/);
  const ticks = [user, nice, system, irq, softirq].map(Number);
  return ticks.reduce((sum, one) => sum + one, 0) / TICKS_PER_SECOND;
}

/** All 0 for a process that is gone. */
export function memoryOf(pid: number): Memory {
  const status = textOf(`/proc/${pid}/status`);
  const kib = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  return {
    now: kib('VmRSS'),
    peak: kib('VmHWM'),
    anonymous: kib('RssAnon'),
    files: kib('RssFile'),
    shared: kib('RssShmem'),
  };
}

/** From here on its peak is counted anew, where the system lets us. */
export function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // gone, or another user's: its peak is an older one then, which is no less
  }
}

/** Of `/proc/PID/stat` behind the command's name, which may hold anything. */
function fieldsOf(pid: number): string[] {
  const text = textOf(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // gone
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // gone
  }
}
