import { link, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '#kernel/errors.js';
import { VolumeUnusable } from '../errors.js';

export const OPEN_ELSEWHERE = 'another media server process has it open';
export const OPEN_HERE =
  'this media server has it open already: a folder can be named once, as one volume or library';

const NAME = /^lock-(\d{8})$/;

/** Locks that this process asked for: each needs a file of its own. */
let taken = 0;

/**
 * The lock where `flock` is not to be had: files `lock-<generation>`, each naming a process by id
 * and start time. The highest one counts while its process lives. The next generation appears with
 * its whole content by `link`, which only one process can win, so a dead holder is succeeded by
 * exactly one, wherever any of them dies.
 */
export async function lockByProcess(folder: string): Promise<{ release(): Promise<void> }> {
  const mine = await identity('self');
  taken += 1;
  const own = join(folder, `lock-of-${mine.replaceAll(' ', '-')}-${taken}`);
  const handle = await open(own, 'wx', 0o600);
  await handle.writeFile(mine);
  await handle.close();
  for (;;) {
    const generation = await highest(folder);
    const holder = generation > 0 ? await holderOf(join(folder, nameOf(generation))) : undefined;
    if (holder !== undefined) {
      throw new VolumeUnusable(folder, holder === mine ? OPEN_HERE : OPEN_ELSEWHERE);
    }
    try {
      await link(own, join(folder, nameOf(generation + 1)));
      return { release: () => release(own) };
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }
}

/** Says in the file itself that nobody holds it: both names are one inode. */
async function release(own: string): Promise<void> {
  const handle = await open(own, 'r+');
  try {
    await handle.write('released', 0);
  } finally {
    await handle.close();
  }
}

/** The process that a file names, if it lives. */
async function holderOf(path: string): Promise<string | undefined> {
  const holder = await readFile(path, 'utf8');
  const [pid] = holder.split(' ');
  if (!pid || !/^\d+$/.test(pid)) return undefined;
  return (await identity(pid)) === holder ? holder : undefined;
}

/** Process id and start time in clock ticks since boot, and the boot; a process id alone comes back. */
async function identity(pid: string): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const behindName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return `${stat.slice(0, stat.indexOf(' '))} ${behindName[19]} ${boot}`;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return '';
    throw error;
  }
}

async function highest(folder: string): Promise<number> {
  const generations = (await readdir(folder)).map((name) => Number(NAME.exec(name)?.[1] ?? 0));
  return Math.max(0, ...generations);
}

function nameOf(generation: number): string {
  return `lock-${String(generation).padStart(8, '0')}`;
}
