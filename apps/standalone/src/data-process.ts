import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { backoffMs, sleep } from '#kernel/backoff.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import {
  startSupervised,
  stopLeftover,
  type StopStep,
  type SupervisedProcess,
} from './servers/process-supervision.js';
import { rotateLog } from './servers/system/log-file.js';

export interface DataProcessPlan {
  /** Among the processes of the cluster. */
  readonly name: string;
  readonly app: keyof typeof HEAP_FLAGS;
  /** The service's built `main.js`. */
  readonly main: string;
  readonly env: Readonly<Record<string, string>>;
  readonly runFolder: string;
  readonly logFile: string;
  /** For tests: see `WAITING_SAID_EVERY_MS`. */
  readonly waitingSaidEveryMs?: number;
}

/**
 * Of each thread, in MiB. Young generation: with V8's own 16 an agent's restore of 100,000 files peaked at 278 MiB;
 * with 2 it is 240 MiB, in the same time. A media server that commits as fast as it can has a thousand fragments on
 * their way, which then outlive every collection: with 8 they take a fifth less CPU time than with 2, for 4 MiB.
 * Whole heap at the start: an agent's is 5 to 30 MiB, and V8 begins with less, so it collected all of it 120 times in a
 * restore of 133,000 files, for a third of the time that was not the system's. With 48, 17 MiB more at the peak, nothing
 * is quicker. Behind that it lets the heap grow to four times what is alive; with twice that a restore of chunks
 * peaks 25 MiB lower, in the same time. V8 forgets the start when a process has rested for some seconds, unless its
 * memory reducer is off. So an agent collects by itself behind a long task.
 */
export const HEAP_FLAGS = {
  agent: [
    '--max-semi-space-size=2',
    '--initial-heap-size=32',
    '--heap-growing-percent=100',
    '--no-memory-reducer',
    '--expose-gc',
  ],
  media: ['--max-semi-space-size=8'],
} as const;

/**
 * Both processes have a dozen threads that take and give back buffers of 1 MiB. Left alone, the C library
 * keeps a heap for each of them; two are enough, and save 40 MiB and more at the agent's peak in a restore.
 */
const FEW_HEAPS = { MALLOC_ARENA_MAX: '2' };

/**
 * Bytes. What an agent gives back it needs again at once. Left alone, the C library often returns it to the system, which
 * has to clear the next page then: up to 500,000 of them in a restore of 3.8 GB, for a fifth of the agent's
 * CPU time; with these two 3,000 to 14,000. Its peak is the same, but a media server's would be 30 MiB higher. Behind a
 * long task it gives back what it keeps (`LongTasks`).
 */
const KEEPS_MEMORY = { MALLOC_MMAP_THRESHOLD_: '33554432', MALLOC_TRIM_THRESHOLD_: '67108864' };

/**
 * A file system that hangs keeps the threads that wait for it. Of libuv's own four a single volume could take all;
 * with these the others go on.
 */
const MANY_THREADS = { UV_THREADPOOL_SIZE: '16' };

/** How the C library of each keeps memory, and how many threads wait for files. */
const SYSTEM = {
  agent: { ...FEW_HEAPS, ...KEEPS_MEMORY },
  media: { ...FEW_HEAPS, ...MANY_THREADS },
};

/** So that `freeBytes` can give back what a native library has made; since Node 22 nobody has to ask for it. */
const FREE_BYTES = 'transfer' in ArrayBuffer.prototype ? [] : ['--harmony-rab-gsab-transfer'];

/** A media server finishes the fragment that it writes. */
const STOP_STEPS: readonly StopStep[] = [{ signal: 'SIGTERM', waitMs: 15_000 }];
/**
 * Only what hangs takes so long, also where many machines share a processor. A media server may take longer: it reads its
 * journals, looks over what a process that died left behind, and may make an index of all chunks anew
 * (some 26 s for each million). Ended in the middle of that it would begin anew each time.
 */
const READY_MS_MAX: Readonly<Record<DataProcessPlan['app'], number | undefined>> = {
  agent: 120_000,
  media: undefined,
};
/** How often a start that takes long says so. */
const WAITING_SAID_EVERY_MS = 10_000;
/** Of a log, for a person to read. */
const LAST_WORDS_BYTES = 1_000;
const RESTART = { firstMs: 500, maxMs: 30_000, jitter: 0.5 };

/**
 * Media server or agent as a process of its own: their work would make the control services wait,
 * and one that crashes takes nobody with it. It is started again whenever it ends.
 */
export class DataProcess {
  private readonly logger: Logger;
  private readonly stopping = new AbortController();
  private running: SupervisedProcess | undefined;
  private keeper: Promise<void> = Promise.resolve();

  constructor(private readonly plan: DataProcessPlan) {
    this.logger = new Logger(plan.name);
  }

  /** Resolves when it is ready; throws when the first start fails. */
  async start(): Promise<void> {
    await stopLeftover(this.pidFile(), STOP_STEPS);
    const process = await this.launch();
    this.keeper = this.keep(process);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running?.stop();
    await this.keeper;
  }

  private async keep(first: SupervisedProcess): Promise<void> {
    let process: SupervisedProcess | undefined = first;
    for (let failures = 0; !this.stopping.signal.aborted;) {
      const how = await (process?.exited ?? 'it did not start');
      if (this.stopping.signal.aborted) return;
      failures += 1;
      this.logger.error(`ended (${how}); starting it again. Its log: ${this.plan.logFile}`);
      await sleep(backoffMs(failures, RESTART, 0.5), this.stopping.signal);
      if (this.stopping.signal.aborted) return;
      process = await this.launch().catch(() => undefined);
      if (process) failures = 0;
    }
  }

  private async launch(): Promise<SupervisedProcess> {
    rotateLog(this.plan.logFile);
    const log = openSync(this.plan.logFile, 'a', 0o600);
    const launched = await startSupervised({
      name: this.plan.name,
      command: process.execPath,
      args: [...HEAP_FLAGS[this.plan.app], ...FREE_BYTES, this.plan.main],
      env: { PATH: process.env['PATH'], ...SYSTEM[this.plan.app], ...this.plan.env },
      deathSignal: 'SIGTERM',
      stopSteps: STOP_STEPS,
      pidFile: this.pidFile(),
      logFile: this.plan.logFile,
      stdio: ['ignore', log, log, 'ipc'],
    }).finally(() => closeSync(log));
    this.running = launched;
    await untilReady(launched, this.plan, this.logger);
    return launched;
  }

  private pidFile(): string {
    return join(this.plan.runFolder, `${this.plan.name}.pid`);
  }
}

async function untilReady(
  launched: SupervisedProcess,
  plan: DataProcessPlan,
  logger: Logger,
): Promise<void> {
  const ready = new Promise<'ready'>((resolve) => {
    launched.child.once('message', () => resolve('ready'));
  });
  const { name, logFile, app, waitingSaidEveryMs = WAITING_SAID_EVERY_MS } = plan;
  const readyMsMax = READY_MS_MAX[app];
  const over = new AbortController();
  const late = readyMsMax && sleep(readyMsMax, over.signal).then(() => 'late' as const);
  const began = performance.now();
  const waiting = setInterval(() => {
    const seconds = Math.round((performance.now() - began) / 1000);
    logger.log(
      `is not ready after ${seconds} s; waiting for it. Its last line: ${lastLine(logFile)}`,
    );
  }, waitingSaidEveryMs);
  const outcome = await Promise.race([ready, launched.exited, ...(late ? [late] : [])]);
  clearInterval(waiting);
  over.abort();
  if (outcome === 'ready') return;
  await launched.kill();
  const how = outcome === 'late' ? `it was not ready within ${readyMsMax! / 1000} s` : outcome;
  throw new PermanentError(
    STATUS.systemError,
    `${name} did not start: ${how}. It said: ${lastLine(logFile).replace(/\.$/, '')}. Its log: ${logFile}`,
  );
}

/** Mostly why it did not start. */
function lastLine(logFile: string): string {
  const log = openSync(logFile, 'r');
  try {
    const { size } = fstatSync(log);
    const end = Buffer.alloc(Math.min(size, LAST_WORDS_BYTES));
    readSync(log, end, 0, end.length, size - end.length);
    return end.toString().trimEnd().split('\n').at(-1)!.trim();
  } finally {
    closeSync(log);
  }
}
