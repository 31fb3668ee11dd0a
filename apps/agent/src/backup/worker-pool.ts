import { Worker } from 'node:worker_threads';

/** Threads that wait for the next backup: as many as tasks that an agent usually runs side by side. */
const IDLE_MAX = 8;
/** For how long one waits before it ends, so that an agent at rest holds no memory for them. */
const IDLE_MS_MAX = 10_000;
/**
 * A thread that was at work for longer is not kept for the next backup: it may hold 30 MiB then, and to start another
 * costs 60 ms.
 */
const KEPT_AFTER_MS_MAX = 1_000;

/**
 * Threads that work for backups, one at a time each. To start one takes longer than to back up a
 * small file (60 ms of CPU time, most of it for loading modules), so a thread that is through waits
 * for another backup for a while.
 */
export class WorkerPool {
  readonly #idle: { readonly worker: Worker; readonly end: NodeJS.Timeout }[] = [];
  readonly #takenMs = new WeakMap<Worker, number>();

  constructor(
    private readonly url: URL,
    private readonly execArgv: readonly string[] = [],
  ) {}

  /** A thread that waits for its job, the one that was used last. */
  take(): Worker {
    const worker = this.#kept() ?? new Worker(this.url, { execArgv: [...this.execArgv] });
    this.#takenMs.set(worker, performance.now());
    return worker;
  }

  /** Takes a thread back that is through with its job. Nobody hears of it any more. */
  giveBack(worker: Worker): void {
    const workedMs = performance.now() - (this.#takenMs.get(worker) ?? 0);
    silence(worker);
    worker.unref();
    if (this.#idle.length >= IDLE_MAX || workedMs >= KEPT_AFTER_MS_MAX) {
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
    worker.on('error', forget);
    worker.on('exit', forget);
    this.#idle.push({ worker, end });
  }

  #kept(): Worker | undefined {
    const idle = this.#idle.pop();
    if (!idle) return undefined;
    clearTimeout(idle.end);
    silence(idle.worker);
    idle.worker.ref();
    return idle.worker;
  }
}

/** One by one: Node itself listens to a worker, too, and its listeners have to stay. */
function silence(worker: Worker): void {
  for (const event of ['message', 'error', 'exit']) worker.removeAllListeners(event);
}
