import type { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import type { Manifest } from '#archive/manifest.js';
import { FragmentUnreadable, VolumeWriteFailed } from '../errors.js';
import type { FragmentObject } from '../fragment-store.js';
import {
  chooseToRead,
  chooseToWrite,
  largestRoom,
  roomOf,
} from '../library-books/choose-volume.js';
import { LibraryLedger, manifestToKeep } from '../library-books/library-ledger.js';
import type {
  FragmentOnVolume,
  LibraryState,
  VolumeBooks,
} from '../library-books/library-state.js';
import { DriveDesk, type MountDesk } from './drive-desk.js';
import type { MediaChanger } from './media-changer.js';
import {
  BlockUnreadable,
  CartridgeUnusable,
  EndOfMedium,
  NoMediaLeft,
  WrongVolume,
} from './sequential-errors.js';
import type { SequentialMedium } from './sequential-medium.js';
import { readPart, writeFragment } from './volume-files.js';
import { layoutOf } from './volume-format.js';
import { extentOf, READING, VolumeKeeper } from './volume-keeper.js';

/** Where a test may have the process die: what has just happened. */
export type LibraryStep = 'medium-written' | 'medium-marked' | 'position-journalled';

export interface SequentialLibraryOptions {
  readonly ledgerFolder: string;
  readonly changer: MediaChanger;
  readonly mounts: MountDesk;
  readonly mediaId: string;
  readonly pool: string;
  readonly clock: Clock;
  readonly log: (severity: 'info' | 'warning', text: string) => void;
  readonly onStep?: (step: LibraryStep) => void;
  /** See `DriveDeskOptions`. */
  readonly stayMs?: number;
}

/** The files of a fragment in the spool, and what they hold. */
export interface SpooledFragment {
  readonly manifest: Manifest;
  readonly data: string;
  readonly index: string;
}

/**
 * The volumes of one pool in one library, and the ledger of what lies on them. It promises:
 *
 * - A fragment counts when its mark is on the medium and its position in the ledger.
 * - Data is added at the end of a volume and nowhere else, by one writer to a drive. A fragment lies on
 *   one volume: where its end comes first, the fragment is written anew on the next one.
 * - A volume begins anew only when the ledger has every fragment on it as gone by its tombstone for
 *   good; the drive compares the label once more before it does.
 * - A cartridge whose label is not what the ledger says is neither written nor taken for damaged.
 */
export class SequentialLibrary {
  readonly desk: DriveDesk;
  readonly keeper: VolumeKeeper;

  private constructor(
    private readonly options: SequentialLibraryOptions,
    readonly ledger: LibraryLedger,
  ) {
    const { changer, mounts, log, stayMs } = options;
    this.keeper = new VolumeKeeper({ ...options, ledger });
    const onMount = (barcode: string, drive: number) =>
      log('info', `mounted ${this.nameOf(barcode)} in drive ${drive}`);
    this.desk = new DriveDesk({
      changer,
      mounts,
      onMount,
      ...(stayMs !== undefined && { stayMs }),
    });
  }

  /** Owns the changer from here on: `close` gives it up, also when the open fails. */
  static async open(options: SequentialLibraryOptions): Promise<SequentialLibrary> {
    const ledger = await LibraryLedger.open(options.ledgerFolder);
    const library = new SequentialLibrary(options, ledger);
    try {
      await library.recover();
    } catch (error) {
      await ledger.close();
      throw error;
    }
    return library;
  }

  get state(): LibraryState {
    return this.ledger.state;
  }

  get pool(): string {
    return this.options.pool;
  }

  now(): Date {
    return this.options.clock.now();
  }

  /** The largest content of a fragment that a volume would take, wherever it is. */
  largestRoom(): number {
    return largestRoom(this.state);
  }

  /** Of the volumes that are in the library now. */
  async room(): Promise<{ freeBytes: number; totalBytes: number }> {
    const { slots, drives } = await this.desk.glance();
    const barcodes = [...slots, ...drives].flatMap(({ barcode }) => barcode ?? []);
    return roomOf(this.state, new Set(barcodes));
  }

  /**
   * Writes a fragment to a volume that has room. Throws `NoMediaLeft` when none has; `MountRefused`
   * when nobody brings one; `VolumeWriteFailed`, and suspends the volume, when it cannot be written;
   * `FragmentDamaged` when the files are not what the manifest says.
   */
  async write(spooled: SpooledFragment): Promise<void> {
    const { storedBytes, indexBytes } = spooled.manifest;
    const isWritten = () =>
      this.desk.use(
        (look) => chooseToWrite(look, this.state, storedBytes + indexBytes),
        (medium) => this.tryWrite(medium, spooled),
        { onNone: () => new NoMediaLeft(this.options.pool) },
      );
    while (!(await isWritten().catch((error: unknown) => this.passOver(error)))) {
      this.options.log('warning', 'going on with another volume');
    }
  }

  /** Reads a range of at most `READ_BYTES_MAX` bytes. Mounts the volume, or waits until it is there. */
  async read(
    fragment: FragmentOnVolume,
    range: { readonly object: FragmentObject; readonly offset: number; readonly length: number },
  ): Promise<Buffer> {
    const { manifest, volumeId, manifestBytes } = fragment;
    const { fragmentId, storedBytes: dataBytes, indexBytes } = manifest;
    const volume = this.state.volumes.get(volumeId);
    if (!volume) throw new FragmentUnreadable(fragmentId, 'was on a volume that is gone');
    const { [range.object]: part } = layoutOf({ dataBytes, indexBytes, manifestBytes });
    const { offset, length } = range;
    try {
      return await this.desk.use(
        (look) => chooseToRead(look, volume),
        async (medium) => {
          await this.keeper.expectVolume(medium, volume);
          return readPart(medium, { position: fragment.position + part, offset, length });
        },
        { onNone: () => new FragmentUnreadable(fragmentId, 'is on no volume') },
      );
    } catch (error) {
      const isOfMedium = error instanceof BlockUnreadable || error instanceof CartridgeUnusable;
      if (!isOfMedium) throw error;
      throw new FragmentUnreadable(fragmentId, `${range.object}: ${error.message}`);
    }
  }

  /** Finds out what is on a cartridge of which the ledger has no volume, and writes it down. */
  private async identify(barcode: string): Promise<void> {
    await this.desk.use(
      (look) => chooseToRead(look, { barcode, label: barcode }),
      (medium) => this.keeper.identify(medium),
      { onNone: () => new WrongVolume(barcode, 'is nowhere'), isLook: true },
    );
  }

  /** What a person calls the volume on a cartridge. */
  nameOf(barcode: string): string {
    return this.state.volumeOn(barcode)?.label ?? barcode;
  }

  async close(): Promise<void> {
    await this.desk.close();
    await this.ledger.close();
  }

  /** A cartridge that cannot be opened is not tried again; any other failure is thrown. */
  private async passOver(error: unknown): Promise<false> {
    if (!(error instanceof CartridgeUnusable)) throw error;
    await this.keeper.setAside(error.barcode, error.message);
    return false;
  }

  /**
   * Looks after what a process was writing when it died, and what has come to the library since. What cannot be
   * looked at now (the robot may have no place for it) is left for an inventory, and holds up nothing else.
   */
  private async recover(): Promise<void> {
    const { slots, drives } = await this.desk.inventory();
    const barcodes = [...slots, ...drives].flatMap(({ barcode }) => barcode ?? []);
    for (const barcode of barcodes.filter((one) => this.isOpen(one))) {
      try {
        await this.lookAt(barcode);
      } catch (error) {
        if (this.ledger.failure) throw error;
        const what = `cartridge ${this.nameOf(barcode)} could not be looked at: ${messageOf(error)}`;
        this.options.log('warning', `${what}. "holdfast library inventory" tries again`);
      }
    }
  }

  /** The ledger does not know yet what is on it, or how its last fragment ended. */
  isOpen(barcode: string): boolean {
    const { writing, suspended } = this.state.volumeOn(barcode) ?? {};
    return !this.state.isKnown(barcode) || writing !== undefined || suspended === READING;
  }

  /** Looks at what is on a cartridge. One that cannot be opened is noted as such, and no failure. */
  async lookAt(barcode: string): Promise<void> {
    const volume = this.state.volumeOn(barcode);
    try {
      await (volume ? this.finish(volume) : this.identify(barcode));
    } catch (error) {
      // Its volume is suspended, and stays so.
      if (error instanceof WrongVolume) this.options.log('warning', error.message);
      else await this.passOver(error);
    }
  }

  private async finish(volume: VolumeBooks): Promise<void> {
    const { barcode } = volume;
    await this.desk.use(
      (look) => chooseToRead(look, volume),
      async (medium) => {
        if (volume.suspended !== READING) return void (await this.keeper.prepare(medium));
        await this.keeper.expectVolume(medium, volume);
        await this.keeper.readAll(medium, volume);
      },
      { onNone: () => new WrongVolume(barcode, 'is nowhere'), isLook: true },
    );
  }

  private async tryWrite(medium: SequentialMedium, spooled: SpooledFragment): Promise<boolean> {
    const { log, onStep = () => undefined } = this.options;
    const { manifest } = spooled;
    const volume = await this.keeper.prepare(medium);
    if (!volume) return false;
    const { volumeId, label } = volume;
    await this.ledger.add({ type: 'WRITING', volumeId, fragmentId: manifest.fragmentId });
    try {
      const onWritten = () => onStep('medium-written');
      const place = await writeFragment(medium, manifest, { ...spooled, onWritten });
      onStep('medium-marked');
      const at = this.now().toISOString();
      const kept = { manifest: manifestToKeep(manifest), ...place, at };
      const written = { type: 'WRITTEN', volumeId, ...kept } as const;
      // Of now: an operator may have suspended it meanwhile.
      await this.ledger.change(({ volumes }) => [
        written,
        extentOf(volumes.get(volumeId)!, medium, {}),
      ]);
      onStep('position-journalled');
      return true;
    } catch (error) {
      if (error instanceof EndOfMedium) {
        log('info', `volume ${label} is full`);
        const end = { full: true, capacityBytes: medium.writtenBytes };
        await this.ledger.change(({ volumes }) => [extentOf(volumes.get(volumeId)!, medium, end)]);
        return false;
      }
      const current = this.state.volumes.get(volumeId);
      if (current && error instanceof VolumeWriteFailed)
        await this.keeper.suspend(current, error.message);
      throw error;
    }
  }
}
