import { sleep } from '#kernel/backoff.js';
import { PermanentError } from '#kernel/errors.js';
import type { Choice, LibraryLook, WantedVolume } from '../library-books/choose-volume.js';
import type { ChangerInventory, MediaChanger } from './media-changer.js';
import { CartridgeBusy, CartridgeUnusable } from './sequential-errors.js';
import type { SequentialMedium } from './sequential-medium.js';

/** Asks a person for volumes that are not in the library. */
export interface MountDesk {
  /**
   * Resolves when one of them may be there: whoever waits looks again. Throws `MountRefused` when the
   * request is cancelled or nobody has answered it in time.
   */
  need(wanted: readonly WantedVolume[]): Promise<void>;
}

export interface DriveDeskOptions {
  readonly changer: MediaChanger;
  readonly mounts: MountDesk;
  /** Called with each volume that was put into a drive. */
  readonly onMount?: (barcode: string, drive: number) => void;
  /** How long a volume that was just used stays in its drive. Default `STAY_MS`. */
  readonly stayMs?: number;
}

export interface UseOptions {
  /** What is thrown when no volume will do. */
  readonly onNone: () => Error;
  /** The volume is only looked at: nobody will come for it again at once. */
  readonly isLook?: boolean;
}

interface Bay {
  readonly drive: number;
  medium: SequentialMedium | undefined;
  isBusy: boolean;
  /** When its volume was used last. */
  usedMs: number;
  /** When it was mounted. */
  sinceMs: number;
}

/** A volume that was just used stays for whoever wants it again, while others can wait a moment. */
const STAY_MS = 200;
/** But no longer than so, however often it is wanted again. */
const STAY_MS_MAX = 30_000;

/**
 * The drives of a library and its robot. One works with a drive at a time; a volume stays in its
 * drive until the drive is wanted for another one, so that what comes for it again waits for nothing.
 */
export class DriveDesk {
  private readonly bays = new Map<number, Bay>();
  private exclusive: Promise<unknown> = Promise.resolve();
  /** Until something is moved. What a person moves is seen when one says so. */
  private known: ChangerInventory | undefined;
  /** The newest one, which a move under way may have made old. */
  private last: ChangerInventory | undefined;
  private waiting: (() => void)[] = [];

  private readonly stayMs: number;

  constructor(private readonly options: DriveDeskOptions) {
    this.stayMs = options.stayMs ?? STAY_MS;
  }

  /** Works with the volume that `choose` takes, alone. `choose` is asked again until it takes one. */
  async use<T>(
    choose: (look: LibraryLook) => Choice,
    work: (medium: SequentialMedium) => Promise<T>,
    { onNone, isLook = false }: UseOptions,
  ): Promise<T> {
    for (;;) {
      const next = await this.alone(() => this.take(choose));
      if (next.type === 'none') throw onNone();
      if (next.type === 'ask') {
        await this.options.mounts.need(next.wanted);
        this.known = undefined;
      }
      if (next.type === 'wait') await next.until;
      if (next.type !== 'bay') continue;
      try {
        return await work(next.bay.medium!);
      } catch (error) {
        await this.closeMedium(next.bay);
        throw error;
      } finally {
        next.bay.isBusy = false;
        next.bay.usedMs = isLook ? -Infinity : performance.now();
        this.wake();
      }
    }
  }

  /** Calls `work` with the robot to itself; cartridges may have been moved by hand before, too. */
  withChanger<T>(work: (changer: MediaChanger) => Promise<T>): Promise<T> {
    return this.alone(async () => {
      try {
        this.known = undefined;
        return await work(this.options.changer);
      } finally {
        this.known = undefined;
        this.last = undefined;
        this.wake();
      }
    });
  }

  /** Moves a cartridge out of its drive, if it is in one. For `withChanger` only. */
  async unload(barcode: string): Promise<void> {
    const { drives } = await this.options.changer.inventory();
    const found = drives.find((drive) => drive.barcode === barcode);
    if (found) await this.empty(this.bay(found.drive));
  }

  /** Where the cartridges are. */
  inventory(): Promise<ChangerInventory> {
    return this.alone(() => this.lookOver());
  }

  /** Which cartridges are in the library, without waiting for a robot that moves one of them. */
  async glance(): Promise<ChangerInventory> {
    return this.known ?? this.last ?? this.inventory();
  }

  async close(): Promise<void> {
    await this.alone(async () => {
      for (const bay of this.bays.values()) await bay.medium?.close();
      await this.options.changer.close();
    });
  }

  private async take(choose: (look: LibraryLook) => Choice) {
    const inventory = await this.lookOver();
    const choice = choose(this.look(inventory));
    if (choice.type === 'wait') return { type: 'wait', until: this.untilReleased() } as const;
    if (choice.type !== 'take') return choice;
    const bay = await this.mount(choice.barcode, inventory);
    if (!bay) return { type: 'wait', until: sleep(this.stayMs) } as const;
    bay.isBusy = true;
    return { type: 'bay', bay } as const;
  }

  private async lookOver(): Promise<ChangerInventory> {
    if (!this.known) {
      const seen = await this.options.changer.inventory();
      await this.letGoOfMoved(seen);
      this.known = seen;
    }
    this.last = this.known;
    return this.known;
  }

  /**
   * What a person has taken out of a drive is not in it any more, although it is open here: it may be
   * opened in another one next, and be written there.
   */
  private async letGoOfMoved({ drives }: ChangerInventory): Promise<void> {
    for (const { drive, barcode } of drives) {
      const bay = this.bay(drive);
      if (bay.medium && !bay.isBusy && bay.medium.barcode !== barcode) await this.closeMedium(bay);
    }
  }

  private look({ slots, drives }: ChangerInventory): LibraryLook {
    const places = new Map<string, { in: 'slot' | 'drive'; isBusy: boolean }>();
    for (const { barcode } of slots) {
      if (barcode !== undefined) places.set(barcode, { in: 'slot', isBusy: false });
    }
    for (const { drive, barcode } of drives) {
      if (barcode !== undefined)
        places.set(barcode, { in: 'drive', isBusy: this.bay(drive).isBusy });
    }
    // Wherever a person has put it meanwhile: nobody else may open it.
    for (const { medium, isBusy } of this.bays.values()) {
      const place = medium && isBusy && places.get(medium.barcode);
      if (place) places.set(medium.barcode, { ...place, isBusy: true });
    }
    return { places, isDriveFree: drives.some(({ drive }) => !this.bay(drive).isBusy) };
  }

  /** Undefined where it has to be tried again: every free drive has a volume that was used a moment ago. */
  private async mount(barcode: string, inventory: ChangerInventory): Promise<Bay | undefined> {
    const there = inventory.drives.find((drive) => drive.barcode === barcode);
    if (there) return this.opened(this.bay(there.drive), barcode);
    const slot = inventory.slots.find((one) => one.barcode === barcode)!;
    const free = inventory.drives.filter(({ drive }) => !this.bay(drive).isBusy);
    const isEmpty = (one: (typeof free)[number]) => one.barcode === undefined;
    const target = free.find(isEmpty) ?? free.sort((a, b) => this.usedMs(a) - this.usedMs(b))[0]!;
    if (!isEmpty(target) && this.stays(this.bay(target.drive))) return undefined;
    const bay = this.bay(target.drive);
    this.known = undefined;
    if (!isEmpty(target)) await this.empty(bay);
    await this.options.changer.load(slot.slot, target.drive);
    bay.sinceMs = performance.now();
    this.options.onMount?.(barcode, target.drive);
    return this.opened(bay, barcode);
  }

  /** Undefined where a person has changed it for another one since the last look. */
  private async opened(bay: Bay, barcode: string): Promise<Bay | undefined> {
    try {
      bay.medium ??= await this.options.changer.drive(bay.drive).open();
      if (bay.medium.barcode === barcode) return bay;
      this.known = undefined;
      await this.closeMedium(bay);
      return undefined;
    } catch (error) {
      this.known = undefined;
      // A drive that is in use says nothing about a cartridge.
      if (!(error instanceof PermanentError)) throw error;
      throw new CartridgeUnusable(barcode, error);
    }
  }

  /** Back into the first slot that is empty. */
  private async empty(bay: Bay): Promise<void> {
    const { changer } = this.options;
    if (bay.isBusy) throw new CartridgeBusy(`the volume in drive ${bay.drive} is being used`);
    const slot = (await changer.inventory()).slots.find(({ barcode }) => barcode === undefined);
    if (!slot) throw new CartridgeBusy('the library has no empty slot to put a volume into');
    await this.closeMedium(bay);
    await changer.unload(bay.drive, slot.slot);
  }

  /** After a failure too: what was written then is looked at anew. */
  private async closeMedium(bay: Bay): Promise<void> {
    const { medium } = bay;
    bay.medium = undefined;
    await medium?.close();
  }

  private bay(drive: number): Bay {
    const known = this.bays.get(drive);
    if (known) return known;
    const bay: Bay = {
      drive,
      medium: undefined,
      isBusy: false,
      usedMs: -Infinity,
      sinceMs: -Infinity,
    };
    this.bays.set(drive, bay);
    return bay;
  }

  private stays({ usedMs, sinceMs }: Bay): boolean {
    const now = performance.now();
    return now - usedMs < this.stayMs && now - sinceMs < STAY_MS_MAX;
  }

  private usedMs({ drive }: { readonly drive: number }): number {
    return this.bay(drive).usedMs;
  }

  private untilReleased(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private wake(): void {
    for (const go of this.waiting.splice(0)) go();
  }

  private alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.exclusive.then(work);
    this.exclusive = result.catch(() => undefined);
    return result;
  }
}
