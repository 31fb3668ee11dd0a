import { Chance } from './chance.js';
import type { Happening } from './event-queue.js';
import { Violation, type World } from './world.js';

const EFFECT_MS_MAX = 3;
const SLOW_EFFECT_MS_MAX = 1_000;
const RESTART_MS_MAX = 20_000;
const FREEZE_MS_MAX = 90_000;

export interface HostOptions {
  readonly name: string;
  /** Starts the program. What it awaits never comes back once the host has died. */
  readonly boot: (life: Life) => void;
  /** Told when the program ends without being asked; `power`: what was not synced may be gone. */
  readonly onDeath?: (how: 'kill' | 'power', chance: Chance) => void;
}

/** A process on a machine of its own. It dies, freezes and comes back. */
export class Host {
  readonly name: string;
  readonly chance: Chance;
  life: Life | undefined;
  /** The one that runs, or the one that has died. */
  lastLife: Life | undefined;
  private frozenUntil = 0;
  private lives = 0;

  constructor(
    readonly world: World,
    private readonly options: HostOptions,
  ) {
    this.name = options.name;
    this.chance = new Chance(`${world.seed} ${options.name}`);
  }

  start(): void {
    this.lives += 1;
    this.life = new Life(this, this.lives);
    this.lastLife = this.life;
    this.world.note(() => `${this.name} starts`);
    this.options.boot(this.life);
  }

  /** The program is gone in the middle of whatever it did, and starts again some time later. */
  die(how: 'kill' | 'power', chance: Chance): void {
    if (this.life === undefined) return;
    this.world.note(() => `${this.name} dies (${how})`);
    this.life = undefined;
    this.frozenUntil = 0;
    this.options.onDeath?.(how, chance);
    this.world.after(chance.between(10, RESTART_MS_MAX), () => this.start());
  }

  freeze(chance: Chance): void {
    const ms = chance.between(1_000, FREEZE_MS_MAX);
    this.world.note(() => `${this.name} freezes for ${ms} ms`);
    this.frozenUntil = this.world.now + ms;
  }

  /** When it will do the next thing: later than now while it stands still. */
  get awakeAt(): number {
    return Math.max(this.frozenUntil, this.world.now);
  }

  thaw(): void {
    this.frozenUntil = 0;
  }
}

/** One run of a program, from its start to its death. */
export class Life {
  constructor(
    readonly host: Host,
    readonly number: number,
  ) {}

  get world(): World {
    return this.host.world;
  }

  get isOver(): boolean {
    return this.host.life !== this;
  }

  /**
   * Does one thing to the world outside, some moments from now. The process may die just before it
   * or just after it; then nobody hears how it ended. A promise that `perform` returns is waited for.
   */
  effect<T>(what: string, perform: () => T | Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.later(this.delay(), () => {
        if (this.mayDie(`before ${what}`)) return;
        let result: T | Promise<T>;
        try {
          result = perform();
        } catch (error) {
          this.world.note(() => `${this.host.name} ${what}: ${String(error)}`);
          reject(error as Error);
          return;
        }
        this.world.note(() => `${this.host.name} ${what}`);
        // Whose answer nobody lives to hear.
        if (result instanceof Promise) result.catch(() => undefined);
        if (this.mayDie(`after ${what}`)) return;
        if (!(result instanceof Promise)) return resolve(result);
        result.then(
          (value) => this.soon(() => resolve(value)),
          (error: unknown) => this.soon(() => reject(error as Error)),
        );
      });
    });
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.later(ms, resolve));
  }

  /** Sleeps until the time is up or somebody calls what `listen` was given. */
  firstOf(ms: number, listen: (wake: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      let isOver = false;
      const end = (): void | false => {
        if (isOver) return false;
        isOver = true;
        return resolve();
      };
      this.later(ms, end);
      listen(() => this.later(0, end));
    });
  }

  /** Runs `work` again and again with a rest in between. */
  every(ms: number, work: () => void): void {
    this.later(ms, () => {
      work();
      this.every(ms, work);
    });
  }

  /** Work beside the rest. An error that nobody expects is a bug, and a violation. */
  spawn(what: string, work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      if (this.isOver) return;
      const isViolation = error instanceof Violation;
      this.world.fail(
        isViolation
          ? error
          : new Violation('no bug', `${this.host.name}, ${what}: ${stackOf(error)}`),
      );
    });
  }

  /** At once, but when it is awake, and never after its death. */
  soon(run: () => void): void {
    if (this.isOver) return;
    if (this.host.awakeAt > this.world.now) this.later(0, run);
    else run();
  }

  /** Runs something after a delay unless the process has died by then; later if it is frozen. */
  later(delayMs: number, run: Happening): void {
    this.world.after(delayMs, () => {
      if (this.isOver) return false;
      const { awakeAt } = this.host;
      if (awakeAt <= this.world.now) return run();
      this.later(awakeAt - this.world.now, run);
      return false;
    });
  }

  private delay(): number {
    const { chance, name } = this.host;
    const slow = this.world.faults.strikes('slow', name);
    return slow ? slow.between(0, SLOW_EFFECT_MS_MAX) : chance.next() * EFFECT_MS_MAX;
  }

  private mayDie(moment: string): boolean {
    const { host, world } = this;
    for (const how of ['kill', 'power'] as const) {
      const chance = world.faults.strikes(how, host.name);
      if (!chance) continue;
      world.note(() => `${host.name} ${how} ${moment}`);
      host.die(how, chance);
      return true;
    }
    const freeze = world.faults.strikes('freeze', host.name);
    if (freeze) host.freeze(freeze);
    return false;
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
