import { within } from '#service/within.js';

/** Less than a beat: a disk or a network file system that hangs keeps nobody from hearing of the others. */
export const LOOK_MS_MAX = 3_000;

/**
 * A look at something that may hang, one at a time for all who ask: it takes one thread then, not one for each of
 * them. What was seen before somebody asked is no answer: whoever asks during a look gets the next.
 */
export class SharedLook {
  private running: Promise<void> | undefined;
  private next: Promise<void> | undefined;
  /** Somebody has waited in vain for the one that runs. */
  private hangs = false;

  /** @param msMax for tests */
  constructor(
    private readonly look: () => Promise<void>,
    private readonly msMax = LOOK_MS_MAX,
  ) {}

  /** Resolves when a look has ended that began from now on, however long that takes. Throws what it throws. */
  take(): Promise<void> {
    if (this.next) return this.next;
    if (!this.running) return this.begin();
    const nothing = () => undefined;
    this.next = this.running.then(nothing, nothing).then(() => {
      this.next = undefined;
      return this.begin();
    });
    return this.next;
  }

  /** False where it takes longer than `LOOK_MS_MAX`: at once where that is known of the one that runs. */
  async takeInTime(): Promise<boolean> {
    if (this.hangs) return false;
    const seen = this.take().then(() => true);
    if (await within(this.msMax, seen)) return true;
    this.hangs = this.running !== undefined;
    return false;
  }

  private begin(): Promise<void> {
    const look = this.look().finally(() => {
      this.running = undefined;
      this.hangs = false;
    });
    this.running = look;
    return look;
  }
}
