import { Worker } from 'node:worker_threads';

/** Threads that wait for the next backup: as many as tasks that an agent usually runs side by side. */
const IDLE_MAX = 8;
/** For how long one waits before it ends, so that an agent at rest holds no memory for them. */
const IDLE_MS_MAX = 10_000;
/**
 * Threads that work for backups, one at a time each. To start one takes longer than to back up a small file (60 ms of
 * CPU time, most of it for loading modules), so a thread that is through waits for another backup for a while. One that
 * has had much to do may hold 30 MiB and is dismissed instead. How much that is must not be told by the time that it
 * took: on a machine that is too busy to be quick everything takes long, and to start threads makes it busier still.
 */
export class WorkerPool {
  readonly #idle: { readonly worker: Worker; readonly end: NodeJS.Timeout }[] = [];

  constructor(
    private readonly url: URL,
    private readonly execArgv: readonly string[] = [],
  ) {}

  /** A thread that waits for its job, the one that was used last. */
  take(): Worker {
    return this.#kept() ?? new Worker(this.url, { execArgv: [...this.execArgv] });
  }

  /** Takes a thread back that is through with a small job. Nobody hears of it any more. */
  giveBack(worker: Worker): void {
    if (this.#idle.length >= IDLE_MAX) return this.dismiss(worker);
    silence(worker);
    worker.unref();
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

  /** Ends a thread that is through with its job. Nobody hears of it any more. */
  dismiss(worker: Worker): void {
    silence(worker);
    worker.on('error', () => undefined);
    worker.unref();
    void worker.terminate();
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
