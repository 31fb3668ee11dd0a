import { Cancelled } from '#kernel/errors.js';
import { VolumeFull } from '../errors.js';

/** What indexes are expected to need on the file system, as a share of the data. */
const INDEX_SHARE = 1 / 16;

export interface SpoolOptions {
  readonly folder: string;
  /** Data of fragments that it may hold in all. */
  readonly bytesMax: number;
  /** Bytes that its file system takes now. */
  readonly freeBytes: () => Promise<number>;
  /** Called when a fragment has to wait for room; what it returns is called when that is over. */
  readonly onWait?: () => () => void;
}

/** The room of one fragment in the spool. */
export interface SpoolPlace {
  /**
   * Takes room for data. Throws `VolumeFull` where that is more than was kept free for this fragment, and the
   * spool has nothing left beside what is kept free for others.
   */
  take(bytes: number): void;
  /** Gives the place up: what was written stays in the spool, or is gone from it. Twice is harmless. */
  leave(left: 'everything' | 'nothing'): void;
}

interface Guest {
  /** Kept free for it, what it has taken of that included. */
  readonly kept: number;
  bytes: number;
}

interface Waiting {
  readonly bytes: number;
  readonly enter: () => void;
}

/**
 * The room in which fragments are gathered on their way to a volume. A fragment is begun when there is
 * room for all of its data beside those that are open, each at its full size, and that room stays its own. So
 * whoever was let in comes to the end, and streams that share a drive wait for each other and do not fail. Who
 * came first is let in first. Where nothing is open there is nobody to wait for: then a fragment is begun,
 * however much room there is. Indexes, whose size nobody knows before, do not count; only where the file
 * system itself is short some more is kept free for them.
 */
export class Spool {
  private readonly guests = new Set<Guest>();
  private readonly waiting: Waiting[] = [];
  /** Of what was begun and not finished: it stays until a person lets go of it. */
  private leftBytes = 0;
  private looking: Promise<void> = Promise.resolve();

  constructor(private readonly options: SpoolOptions) {}

  get folder(): string {
    return this.options.folder;
  }

  /** What an earlier process has left behind. */
  addLeft(bytes: number): void {
    this.leftBytes += bytes;
  }

  /**
   * Waits for room for a fragment of at most so many bytes. When `signal` ends the wait it throws
   * status 150.
   */
  async enter(bytes: number, signal?: AbortSignal): Promise<SpoolPlace> {
    const isFree = this.waiting.length === 0 && (await this.hasRoomFor(bytes));
    // Others may have come while the file system was asked.
    if (isFree && this.waiting.length === 0 && this.fits(bytes)) return this.place(bytes);
    return this.wait(bytes, signal);
  }

  private async wait(bytes: number, signal: AbortSignal | undefined): Promise<SpoolPlace> {
    const over = this.options.onWait?.();
    try {
      return await new Promise<SpoolPlace>((resolve, reject) => {
        const stop = () => {
          this.waiting.splice(this.waiting.indexOf(one), 1);
          reject(new Cancelled());
          this.look();
        };
        const enter = () => {
          signal?.removeEventListener('abort', stop);
          resolve(this.place(bytes));
        };
        const one = { bytes, enter };
        this.waiting.push(one);
        if (signal?.aborted) return stop();
        signal?.addEventListener('abort', stop, { once: true });
        this.look();
      });
    } finally {
      over?.();
    }
  }

  /** A place at once, whoever waits. */
  place(wanted: number): SpoolPlace {
    const free = Math.max(0, this.options.bytesMax - this.keptBytes);
    const guest: Guest = { kept: Math.min(wanted, free), bytes: 0 };
    this.guests.add(guest);
    return {
      take: (bytes) => this.take(guest, bytes),
      leave: (left) => {
        if (!this.guests.delete(guest)) return;
        if (left === 'everything') this.leftBytes += guest.bytes;
        this.look();
      },
    };
  }

  private take(guest: Guest, bytes: number): void {
    const { bytesMax, folder } = this.options;
    const beyond = guest.bytes + bytes - Math.max(guest.kept, guest.bytes);
    if (beyond > 0 && this.keptBytes + beyond > bytesMax) {
      throw new VolumeFull(`the spool ${folder}`);
    }
    guest.bytes += bytes;
  }

  /** Lets in who waits, one look after the other. */
  private look(): void {
    this.looking = this.looking.then(() => this.letIn());
  }

  private async letIn(): Promise<void> {
    for (let first = this.waiting[0]; first; first = this.waiting[0]) {
      if (!(await this.hasRoomFor(first.bytes))) return;
      if (this.waiting[0] !== first) continue;
      this.waiting.shift();
      first.enter();
    }
  }

  private async hasRoomFor(bytes: number): Promise<boolean> {
    if (!this.fits(bytes)) return false;
    if (this.guests.size === 0) return true;
    // A file system that cannot be asked says so to whoever writes.
    const free = await this.options.freeBytes().catch(() => Infinity);
    const toCome = this.keptBytes - this.heldBytes + bytes;
    return this.guests.size === 0 || toCome * (1 + INDEX_SHARE) <= free;
  }

  private fits(bytes: number): boolean {
    return this.guests.size === 0 || this.keptBytes + bytes <= this.options.bytesMax;
  }

  /** Bytes that are in it now. */
  private get heldBytes(): number {
    return [...this.guests].reduce((sum, { bytes }) => sum + bytes, this.leftBytes);
  }

  /** Bytes that will be in it when all that is open has its full size. */
  private get keptBytes(): number {
    const sizes = [...this.guests].map(({ kept, bytes }) => Math.max(kept, bytes));
    return sizes.reduce((sum, size) => sum + size, this.leftBytes);
  }
}
