import { Worker } from 'node:worker_threads';

/** Threads that wait for the next backup: as many as tasks that an agent usually runs side by side. */
const IDLE_MAX = 8;
/** For how long one waits before it ends, so that an agent at rest holds no memory for them. */
const IDLE_MS_MAX = 10_000;

/**
 * Threads that read clients, one backup at a time each. To start one takes longer than to back up a
 * small file (60 ms of CPU time, most of it for loading modules), so a thread that is through waits
 * for another backup for a while.
 */
export class ReaderPool {
  readonly #idle: { readonly worker: Worker; readonly end: NodeJS.Timeout }[] = [];

  constructor(
    private readonly url: URL,
    private readonly execArgv: readonly string[] = [],
  ) {}

  /** A thread that waits for its job, the one that was used last. */
  take(): Worker {
    const idle = this.#idle.pop();
    if (!idle) return new Worker(this.url, { execArgv: [...this.execArgv] });
    clearTimeout(idle.end);
    silence(idle.worker);
    idle.worker.ref();
    return idle.worker;
  }

  /** Takes a thread back that is through with its job. Nobody hears of it any more. */
  giveBack(worker: Worker): void {
    silence(worker);
    if (this.#idle.length >= IDLE_MAX) {
      void worker.terminate();
      return;
    }
    const forget = () => {
      const at = this.#idle.findIndex((one) => one.worker === worker);
      const [found] = at < 0 ? [] : this.#idle.splice(at, 1);
      clearTimeout(found?.end);
    };
    const end = setTimeout(() => {
      forget();
      void worker.terminate();
    }, IDLE_MS_MAX);
    end.unref();
    worker.unref();
    worker.on('error', forget);
    worker.on('exit', forget);
    this.#idle.push({ worker, end });
  }
}

/** One by one: Node itself listens to a worker, too, and its listeners have to stay. */
function silence(worker: Worker): void {
  for (const event of ['message', 'error', 'exit']) worker.removeAllListeners(event);
}

/** The threads of this process, from the compiled code. */
export const READERS = new ReaderPool(new URL('./reader/reader.worker.js', import.meta.url));
