import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';

import { withDeathSignal } from '../../../apps/standalone/src/servers/system/death-signal.js';
import { writePidFile } from '../../../apps/standalone/src/servers/system/process-identity.js';
import { until } from '../../support/until.js';
import type { AnswerOf, Call, CallName, Reply, RequestOf, Seen } from '../protocol.js';
import { checkDisks, MOUNTS, type Disks } from './disk.js';

export interface GuestPlan {
  readonly checkout: string;
  readonly kernel: string;
  readonly disks: Disks;
  /** For its console log and its pid file. */
  readonly folder: string;
  readonly onSeen: (seen: Seen) => void;
}

const MEMORY_MIB = 1_024;
const BOOT_MS_MAX = 300_000;

/** The power is gone: nothing that was asked of the guest is answered any more. */
export class PowerLost extends Error {
  override readonly name = 'PowerLost';
}

/**
 * A machine that is a group of processes: user-mode Linux. Calls go over its serial line as NDJSON. SIGKILL takes
 * its power: what it had not written to its disks is gone.
 */
export class Guest {
  private readonly waiting = new Map<number, { call: CallName; settle: (reply: Reply) => void }>();
  private readonly line: Duplex;
  private calls = 0;
  private dead: Error | undefined;
  private isGone = false;

  private constructor(
    private readonly process: ChildProcess,
    private readonly plan: GuestPlan,
  ) {
    this.line = process.stdio[3] as Duplex;
    // A guest that is killed in the middle of a line resets it; both report that.
    const lost = (error: Error): void => this.end(new PowerLost(error.message));
    this.line.on('error', lost);
    createInterface({ input: this.line })
      .on('line', (text) => this.hear(text))
      .on('error', lost);
    for (const output of [process.stdout, process.stderr]) {
      output?.on('data', (bytes: Buffer) => appendFileSync(this.log, bytes));
    }
    process.once('exit', () => this.end(new PowerLost('The guest is off.')));
  }

  /** Resolves when the guest is up and answers. */
  static async boot(plan: GuestPlan): Promise<Guest> {
    await checkDisks(plan.disks);
    const [command, args] = withDeathSignal('SIGKILL', plan.kernel, kernelArguments(plan));
    const child = spawn(command, args, {
      cwd: plan.folder,
      // Its memory is a file there.
      env: { PATH: process.env['PATH'], HOME: plan.folder, TMPDIR: memoryFolder() },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    });
    if (child.pid === undefined) throw new Error(`${plan.kernel} does not start`);
    writePidFile(join(plan.folder, 'guest.pid'), child.pid);
    const guest = new Guest(child, plan);
    try {
      await guest.call('hello', {}, BOOT_MS_MAX);
    } catch (error) {
      await guest.cutPower();
      const Kind = error instanceof PowerLost ? PowerLost : Error;
      throw new Kind(`The guest does not boot. Its console:\n${guest.consoleTail()}`, {
        cause: error,
      });
    }
    return guest;
  }

  /** Rejects with `PowerLost` where the power goes before the answer comes. */
  call<N extends CallName>(name: N, request: RequestOf<N>, msMax: number): Promise<AnswerOf<N>> {
    if (this.dead) return Promise.reject(this.dead);
    const id = (this.calls += 1);
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        settle({ id, error: `"${name}" was not answered within ${msMax / 1_000} s` });
      }, msMax);
      const settle = (reply: Reply): void => {
        clearTimeout(late);
        this.waiting.delete(id);
        if (reply.error === undefined) resolve(reply.answer as AnswerOf<N>);
        else reject(reply.powerLost ? new PowerLost(reply.error) : new Error(reply.error));
      };
      this.waiting.set(id, { call: name, settle });
      const call: Call = { id, name, request };
      this.line.write(`${JSON.stringify(call)}\n`);
    });
  }

  /** SIGKILL for all of its processes at once; resolves when none is left, and its disks are free. */
  async cutPower(): Promise<void> {
    const group = this.process.pid!;
    this.end(new PowerLost('The power was cut.'));
    if (this.isGone) return;
    tryKill(-group);
    await until(() => livingOf(group).length === 0, { what: 'the guest to be gone' });
    this.isGone = true;
  }

  /** The end of what its kernel and its processes wrote to the console. */
  consoleTail(lines = 30): string {
    return readFileSync(this.log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  private get log(): string {
    return join(this.plan.folder, 'console.log');
  }

  private hear(text: string): void {
    if (!text.startsWith('{') || this.dead) return;
    const heard = JSON.parse(text) as Reply | { seen: Seen };
    if ('seen' in heard) this.plan.onSeen(heard.seen);
    else this.waiting.get(heard.id)?.settle(heard);
  }

  private end(why: Error): void {
    this.dead ??= why;
    for (const [id, { settle }] of this.waiting) {
      settle({ id, error: why.message, powerLost: true });
    }
  }
}

function kernelArguments({ checkout, disks, folder }: GuestPlan): string[] {
  mkdirSync(join(folder, 'uml'), { recursive: true });
  const { volume, rest } = disks;
  const mount = volume ? MOUNTS[volume.filesystem] : { type: 'none', options: '' };
  return [
    ...[`mem=${MEMORY_MIB}M`, 'rootfstype=hostfs', 'rootflags=/', 'ro', 'quiet'],
    ...[`uml_dir=${folder}/uml/`, 'umid=guest'],
    ...(volume ? [`ubd0=${volume.file}`] : []),
    `ubd1=${rest}`,
    ...['con=null', 'con0=fd:0,fd:1', 'ssl=null', 'ssl0=fd:3'],
    `init=${checkout}/test/lab/guest/init.sh`,
    // What the kernel does not know becomes init's environment.
    ...[`lab_filesystem=${mount.type}`, `lab_options=${mount.options}`],
    `lab_node=${process.execPath}`,
    `lab_driver=${checkout}/dist/test/lab/guest/driver.js`,
  ];
}

/** Memory as the host has it, where there is enough of it; else a disk has to do. */
function memoryFolder(): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    if (bavail * bsize > 2 * MEMORY_MIB * 2 ** 20) return '/dev/shm';
  } catch {
    return tmpdir(); // no /dev/shm at all
  }
  return tmpdir();
}

/** Every process of a group that has not ended. */
function livingOf(group: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isLivingMember(name, group))
    .map(Number);
}

function isLivingMember(pid: string, group: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, , processGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(processGroup) === group && state !== 'Z' && state !== 'X';
  } catch {
    return false; // it has just ended
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
