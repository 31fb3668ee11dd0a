import type { Clock } from '#kernel/clock.js';
import { assert } from '#kernel/assert.js';
import { uuidv7 } from '#kernel/ids.js';
import type { Manifest } from '#archive/manifest.js';
import { FragmentUnreadable, VolumeWriteFailed } from '../errors.js';
import type { FragmentObject } from '../fragment-store.js';
import { chooseToRead, chooseToWrite, largestRoom, roomOf } from './choose-volume.js';
import { DriveDesk, type MountDesk } from './drive-desk.js';
import { LibraryLedger, manifestToKeep } from './library-ledger.js';
import {
  volumeState,
  type FragmentOnVolume,
  type LibraryState,
  type VolumeBooks,
} from './library-state.js';
import type { MediaChanger } from './media-changer.js';
import { permitRecycling } from './recycle-permit.js';
import { BlockUnreadable, EndOfMedium, NoMediaLeft, WrongVolume } from './sequential-errors.js';
import type { SequentialMedium } from './sequential-medium.js';
import { readLabel, readPart, scanVolume, writeFragment } from './volume-files.js';
import {
  encodeLabel,
  FIRST_POSITION,
  layoutOf,
  parseLabel,
  type VolumeLabel,
} from './volume-format.js';

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
  private readonly labels = new WeakMap<SequentialMedium, { readonly text: Buffer | undefined }>();

  private constructor(
    private readonly options: SequentialLibraryOptions,
    readonly ledger: LibraryLedger,
  ) {
    const { changer, mounts, log, stayMs } = options;
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
    const { slots, drives } = await this.desk.inventory();
    const barcodes = [...slots, ...drives].flatMap(({ barcode }) => barcode ?? []);
    return roomOf(this.state, new Set(barcodes));
  }

  /**
   * Writes a fragment to a volume that has room. Throws `NoMediaLeft` when none has; `MountRefused`
   * when nobody brings one; `VolumeWriteFailed`, and suspends the volume, when it cannot be written.
   */
  async write(spooled: SpooledFragment): Promise<void> {
    const { storedBytes, indexBytes } = spooled.manifest;
    const isWritten = () =>
      this.desk.use(
        (look) => chooseToWrite(look, this.state, storedBytes + indexBytes),
        (medium) => this.tryWrite(medium, spooled),
        { onNone: () => new NoMediaLeft(this.options.pool) },
      );
    while (!(await isWritten())) this.options.log('warning', 'going on with another volume');
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
    return this.desk.use(
      (look) => chooseToRead(look, volume),
      async (medium) => {
        await this.expectVolume(medium, volume);
        try {
          const position = fragment.position + part;
          return await readPart(medium, { position, offset, length });
        } catch (error) {
          if (!(error instanceof BlockUnreadable)) throw error;
          throw new FragmentUnreadable(fragmentId, `${range.object}: ${error.message}`);
        }
      },
      { onNone: () => new FragmentUnreadable(fragmentId, 'is on no volume') },
    );
  }

  /** Finds out what is on a cartridge that the ledger does not know, and writes it down. */
  async identify(barcode: string): Promise<void> {
    await this.desk.use(
      (look) => chooseToRead(look, { barcode, label: barcode }),
      async (medium) => {
        if (this.state.isKnown(barcode)) return;
        const text = await this.labelText(medium);
        const { capacityBytes } = medium;
        if (text) await this.adopt(medium, text);
        else await this.ledger.add({ ...CARTRIDGE, kind: 'blank', barcode, capacityBytes });
      },
      { onNone: () => new WrongVolume(barcode, 'is nowhere'), isLook: true },
    );
  }

  /**
   * Writes a label on what is mounted: on a blank cartridge, or one whose every fragment is gone for
   * good. @returns undefined, and nothing is touched, for any other.
   */
  async begin(medium: SequentialMedium, label: string): Promise<VolumeBooks | undefined> {
    const { barcode } = medium;
    const { clock, mediaId, pool } = this.options;
    const books = this.state.volumeOn(barcode);
    const permit = permitRecycling({ barcode, label: await this.labelText(medium) }, books);
    if (!permit) return undefined;
    const now = clock.now();
    const volumeId = uuidv7(now);
    const labelledAt = now.toISOString();
    const text = encodeLabel({ label, volumeId, mediaId, pool, labelledAt });
    await medium.begin(permit, text);
    this.labels.set(medium, { text });
    const capacityBytes = Math.min(books?.capacityBytes ?? Infinity, medium.capacityBytes);
    const volume = { barcode, volumeId, label, capacityBytes, labelledAt };
    await this.ledger.add({ type: 'LABELLED', ...volume });
    this.options.log('info', `labelled cartridge ${barcode} as volume ${label}`);
    return this.state.volumes.get(volumeId);
  }

  async suspend(volume: VolumeBooks, reason: string | null): Promise<void> {
    const { volumeId, endPosition, writtenBytes, capacityBytes, full, writing } = volume;
    const extent = { endPosition, writtenBytes, capacityBytes, full, suspended: reason };
    const open = writing === undefined ? [] : [{ type: 'WRITING', volumeId, fragmentId: writing }];
    const records = open as { type: 'WRITING'; volumeId: string; fragmentId: string }[];
    await this.ledger.add({ type: 'EXTENT', volumeId, ...extent }, ...records);
    const { log } = this.options;
    if (reason !== null) log('warning', `volume ${volume.label} is suspended: ${reason}`);
  }

  /** What a person calls the volume on a cartridge. */
  nameOf(barcode: string): string {
    return this.state.volumeOn(barcode)?.label ?? barcode;
  }

  async close(): Promise<void> {
    await this.desk.close();
    await this.ledger.close();
  }

  /** Looks after what a process was writing when it died, and what has come to the library since. */
  private async recover(): Promise<void> {
    const { slots, drives } = await this.desk.inventory();
    const barcodes = [...slots, ...drives].flatMap(({ barcode }) => barcode ?? []);
    for (const barcode of barcodes) {
      const volume = this.state.volumeOn(barcode);
      if (!this.state.isKnown(barcode)) await this.identify(barcode);
      else if (volume?.writing !== undefined) {
        await this.desk.use(
          (look) => chooseToRead(look, volume),
          (medium) => this.prepare(medium).then(() => undefined),
          { onNone: () => new WrongVolume(barcode, 'is nowhere'), isLook: true },
        );
      }
    }
  }

  private async tryWrite(medium: SequentialMedium, spooled: SpooledFragment): Promise<boolean> {
    const { log, onStep = () => undefined } = this.options;
    const { manifest } = spooled;
    const volume = await this.prepare(medium);
    if (!volume) return false;
    const { volumeId, label } = volume;
    await this.ledger.add({ type: 'WRITING', volumeId, fragmentId: manifest.fragmentId });
    try {
      const onWritten = () => onStep('medium-written');
      const place = await writeFragment(medium, manifest, { ...spooled, onWritten });
      onStep('medium-marked');
      const at = this.now().toISOString();
      const kept = { manifest: manifestToKeep(manifest), ...place, at };
      await this.ledger.add({ type: 'WRITTEN', volumeId, ...kept }, extentOf(volume, medium, {}));
      onStep('position-journalled');
      return true;
    } catch (error) {
      if (error instanceof EndOfMedium) {
        log('info', `volume ${label} is full`);
        const end = { full: true, capacityBytes: medium.writtenBytes };
        await this.ledger.add(extentOf(volume, medium, end));
        return false;
      }
      const current = this.state.volumes.get(volumeId);
      if (current && error instanceof VolumeWriteFailed) await this.suspend(current, error.message);
      throw error;
    }
  }

  /** A volume to which the next fragment can be added; undefined where another has to be taken. */
  private async prepare(medium: SequentialMedium): Promise<VolumeBooks | undefined> {
    const { barcode } = medium;
    const text = await this.labelText(medium);
    const books = this.state.volumeOn(barcode);
    if (!books && text === undefined) return this.begin(medium, barcode);
    const isSame = books && text && parseLabel(text)?.volumeId === books.volumeId;
    if (!isSame) {
      await this.settle(medium, books, text);
      return undefined;
    }
    if (books.writing !== undefined) await this.lookAtEnd(medium, books);
    const volume = this.state.volumeOn(barcode)!;
    if (volumeState(volume) === 'scratch' && medium.endOfData > FIRST_POSITION) {
      return this.begin(medium, volume.label);
    }
    return volumeState(volume) === 'full' ? undefined : volume;
  }

  /**
   * The label is another one than the ledger has. A process may have died when it had written it, or
   * the cartridge was changed by somebody.
   */
  private async settle(
    medium: SequentialMedium,
    books: VolumeBooks | undefined,
    text: Buffer | undefined,
  ): Promise<void> {
    const isOver = !books || volumeState(books) === 'scratch';
    if (isOver && text && this.isNewAndOurs(parseLabel(text))) return this.adopt(medium, text);
    const found = (text && parseLabel(text)?.label) ?? 'nothing of ours';
    if (books) return this.suspend(books, `its cartridge holds ${found}`);
    return this.adopt(medium, text!);
  }

  /** Reads a volume from its label on and writes down what is on it. */
  private async adopt(medium: SequentialMedium, text: Buffer): Promise<void> {
    const { barcode, capacityBytes } = medium;
    const label = parseLabel(text);
    if (!label || !this.isNewAndOurs(label)) {
      const reason = label ? `is volume ${label.label} of pool ${label.pool}` : 'is not of ours';
      await this.ledger.add({ ...CARTRIDGE, kind: 'foreign', barcode, capacityBytes, reason });
      return;
    }
    const { volumeId, labelledAt } = label;
    const { fragments, unreadable } = await scanVolume(medium);
    const at = this.now().toISOString();
    const volume = { barcode, volumeId, label: label.label, capacityBytes, labelledAt };
    const known = fragments.filter(
      ({ manifest }) => !this.state.fragments.has(manifest.fragmentId),
    );
    const written = known.map(({ manifest, ...place }) => {
      return {
        type: 'WRITTEN',
        volumeId,
        manifest: manifestToKeep(manifest),
        ...place,
        at,
      } as const;
    });
    await this.ledger.add({ type: 'LABELLED', ...volume }, ...written);
    const books = this.state.volumes.get(volumeId)!;
    await this.ledger.add(extentOf(books, medium, {}));
    const what = `volume ${label.label} was read: ${written.length} fragments`;
    this.options.log('info', what);
    if (unreadable.length === 0) return;
    const reason = `${unreadable.length} files on it could not be read when it was looked over`;
    await this.suspend(this.state.volumes.get(volumeId)!, reason);
  }

  /** What came of the fragment that was being written when a process died, or a write failed. */
  private async lookAtEnd(medium: SequentialMedium, books: VolumeBooks): Promise<void> {
    const { volumeId, endPosition } = books;
    const { fragments } = await scanVolume(medium, endPosition);
    const at = this.now().toISOString();
    const whole = fragments.filter(
      ({ manifest }) => !this.state.fragments.has(manifest.fragmentId),
    );
    const written = whole.map(({ manifest, ...place }) => {
      return {
        type: 'WRITTEN',
        volumeId,
        manifest: manifestToKeep(manifest),
        ...place,
        at,
      } as const;
    });
    await this.ledger.add(...written, extentOf(books, medium, {}));
  }

  private isNewAndOurs(label: VolumeLabel | undefined): boolean {
    const { mediaId, pool } = this.options;
    if (!label || this.state.volumes.has(label.volumeId)) return false;
    return label.mediaId === mediaId && label.pool === pool;
  }

  private async expectVolume(medium: SequentialMedium, volume: VolumeBooks): Promise<void> {
    const text = await this.labelText(medium);
    if (text && parseLabel(text)?.volumeId === volume.volumeId) return;
    throw new WrongVolume(medium.barcode, `does not hold volume ${volume.label}`);
  }

  private async labelText(medium: SequentialMedium): Promise<Buffer | undefined> {
    const known = this.labels.get(medium) ?? { text: await readLabel(medium) };
    this.labels.set(medium, known);
    return known.text;
  }
}

const CARTRIDGE = { type: 'CARTRIDGE', reason: '' } as const;

function extentOf(
  volume: VolumeBooks,
  medium: SequentialMedium,
  over: { readonly full?: boolean; readonly capacityBytes?: number },
) {
  assert(medium.barcode === volume.barcode, 'the extent of another volume');
  const { volumeId, capacityBytes, full, suspended = null } = volume;
  const { endOfData: endPosition, writtenBytes } = medium;
  const extent = { endPosition, writtenBytes, capacityBytes, full, suspended, ...over };
  return { type: 'EXTENT', volumeId, ...extent } as const;
}
