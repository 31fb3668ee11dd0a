import { Chance } from './chance.js';
import { EventQueue, type Happening } from './event-queue.js';
import type { Faults } from './faults.js';

/** The virtual clock starts here. */
export const WORLD_BEGINS_MS = Date.UTC(2026, 0, 1);

/** Something that must not be: an invariant that does not hold, or a bug that showed itself. */
export class Violation extends Error {
  override readonly name = 'Violation';

  constructor(
    readonly invariant: string,
    readonly detail: string,
  ) {
    super(`${invariant}: ${detail}`);
  }
}

/**
 * Time and order. Everything that happens is an event in one queue; after each, the code that
 * waited for it runs until all of it waits again, and then the checks. Nothing else makes time pass,
 * so the same seed and the same faults give the same history.
 */
export class World {
  now = WORLD_BEGINS_MS;
  steps = 0;
  readonly chance: Chance;
  private readonly queue = new EventQueue();
  private failure: unknown;
  private readonly lines: string[] = [];
  /** What has happened, and how often: so that a test can tell whether seeds meet what they should. */
  readonly met = new Map<string, number>();

  constructor(
    readonly seed: string,
    readonly faults: Faults,
    private readonly options: { readonly traces: boolean },
  ) {
    this.chance = new Chance(`${seed} order`);
  }

  after(delayMs: number, run: Happening): void {
    this.queue.add(this.now + delayMs, run);
  }

  /** Ends the run with this error, from wherever it is found. */
  fail(error: unknown): void {
    this.failure ??= error;
  }

  meet(what: string): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1);
  }

  /** A line of the history, made only where somebody reads it. */
  note(line: () => string): void {
    if (!this.options.traces) return;
    const seconds = ((this.now - WORLD_BEGINS_MS) / 1_000).toFixed(3).padStart(9);
    this.lines.push(`${seconds} ${line()}`);
  }

  get history(): readonly string[] {
    return this.lines;
  }

  /** Lets things happen until `isOver` or the virtual time is up. Throws the first violation. */
  async run(until: { readonly atMs: number; readonly isOver: () => boolean }, check: () => void) {
    for (;;) {
      const nextAt = this.queue.nextAt();
      if (nextAt === undefined || nextAt > until.atMs) {
        this.now = until.atMs;
        return;
      }
      const event = this.queue.take()!;
      this.now = event.at;
      this.steps += 1;
      const isIdle = event.run() === false;
      if (!isIdle) await settled();
      if (this.failure !== undefined) throw this.failure;
      if (!isIdle) check();
      if (until.isOver()) return;
    }
  }
}

/**
 * Resolves when no promise has anything left to do: ticks come when the queue of those is empty. It is
 * several times as fast as a turn of the event loop.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
