export interface Wait {
  /** Whoever waits goes away when it is aborted, and `take` throws the reason. */
  readonly signal?: AbortSignal;
  /** Called where there is something to wait for. */
  readonly onWait?: () => void;
}

/** Lets so many pieces of work run at once; the others wait for their turn, in order. */
export class Turns {
  private readonly waiting = new Set<() => void>();

  constructor(private free: number) {}

  async take<T>(work: () => Promise<T>, { signal, onWait }: Wait = {}): Promise<T> {
    signal?.throwIfAborted();
    if (this.free > 0) this.free -= 1;
    else {
      onWait?.();
      await this.turn(signal);
    }
    try {
      return await work();
    } finally {
      this.handOn();
    }
  }

  private turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        this.waiting.delete(begin);
        reject(signal!.reason as Error);
      };
      this.waiting.add(begin);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  private handOn(): void {
    const [next] = this.waiting;
    if (!next) {
      this.free += 1;
      return;
    }
    this.waiting.delete(next);
    next();
  }
}
