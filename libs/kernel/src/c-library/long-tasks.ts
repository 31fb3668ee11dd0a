import { cFunction } from './c-function.js';

/** A task of this length leaves much behind: V8 and the C library would keep it until the next one has made as much again. */
const LONG_TASK_MS = 1_000;

/** Gives what the C library has kept back to the system, of all its heaps: 40 to 60 MB behind a long task, in some milliseconds. */
const trim = cFunction<(bytesLeft: number) => number>('int malloc_trim(size_t bytesLeft)');

function clearUp(): void {
  // It takes 20 ms, and is there where this process was started with `--expose-gc`.
  globalThis.gc?.();
  trim?.(0);
}

/**
 * Clears up behind long tasks: gives memory back that nobody uses any more. That is seen to when no task is at work:
 * beside others it would cost each of them time.
 */
export class LongTasks {
  private atWork = 0;
  private leftMuch = false;

  constructor(private readonly clear = clearUp) {}

  /** @returns what its task has to call at its end, once */
  begin(): () => void {
    const begunMs = performance.now();
    this.atWork += 1;
    return () => {
      this.atWork -= 1;
      this.leftMuch ||= performance.now() - begunMs > LONG_TASK_MS;
      if (this.atWork > 0 || !this.leftMuch) return;
      this.leftMuch = false;
      this.clear();
    };
  }
}
