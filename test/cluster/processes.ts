import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Every living process whose command, environment or working folder names a folder, but for this one. */
export function processesOf(folder: string): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) =>
      [readOf(pid, 'cmdline'), readOf(pid, 'environ'), linkOf(pid, 'cwd')].some((text) =>
        text.includes(folder),
      ),
    )
    .map((pid) => ({ pid: Number(pid), command: readOf(pid, 'cmdline').replaceAll('\0', ' ') }));
}

/** The most memory that a process has had resident so far, in MiB. */
export function peakResidentMib(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}

/** Bytes that a process has read with system calls so far: files, sockets and pipes. */
export function bytesRead(pid: number): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
}

function readOf(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // gone, or another user's
  }
}

function linkOf(pid: string, link: string): string {
  try {
    return readlinkSync(`/proc/${pid}/${link}`);
  } catch {
    return ''; // gone, or another user's
  }
}
