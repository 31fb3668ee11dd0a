import type { Clock } from '#kernel/clock.js';
import { assert } from '#kernel/assert.js';
import { PermanentError } from '#kernel/errors.js';
import { uuidv7 } from '#kernel/ids.js';
import { STATUS } from '#kernel/status.js';
import { VolumeWriteFailed } from '../errors.js';
import { manifestToKeep, type LibraryLedger } from '../library-books/library-ledger.js';
import {
  holdsNothing,
  volumeState,
  type LibraryState,
  type VolumeBooks,
} from '../library-books/library-state.js';
import type { LibraryRecord } from '../library-books/library-record.js';
import { permitRecycling } from './recycle-permit.js';
import { BlockUnreadable, CartridgeUnusable, WrongVolume } from './sequential-errors.js';
import type { SequentialMedium } from './sequential-medium.js';
import { readLabel, scanVolume, type FoundFragment } from './volume-files.js';
import { encodeLabel, FIRST_POSITION, parseLabel, type VolumeLabel } from './volume-format.js';

export interface VolumeKeeperOptions {
  readonly ledger: LibraryLedger;
  readonly mediaId: string;
  readonly pool: string;
  readonly clock: Clock;
  readonly log: (severity: 'info' | 'warning', text: string) => void;
}

/** Compares what is mounted with the ledger, and has both say the same before anything is written. */
export class VolumeKeeper {
  private readonly labels = new WeakMap<SequentialMedium, { readonly text: Buffer | undefined }>();

  constructor(private readonly options: VolumeKeeperOptions) {}

  /** A volume to which the next fragment can be added; undefined where another has to be taken. */
  async prepare(medium: SequentialMedium): Promise<VolumeBooks | undefined> {
    const { barcode } = medium;
    const text = await this.labelText(medium);
    const books = this.state.volumeOn(barcode);
    if (!books && text === undefined) return this.begin(medium, barcode);
    const isSame = books && text && parseLabel(text)?.volumeId === books.volumeId;
    if (!isSame) {
      await this.settle(medium, books, text);
      return undefined;
    }
    await this.catchUp(medium, books);
    const volume = this.state.volumeOn(barcode)!;
    if (volumeState(volume) === 'filling' && medium.endOfData < volume.endPosition) {
      const ends = `it ends at position ${medium.endOfData}, the ledger has it to ${volume.endPosition}`;
      await this.suspend(volume, ends);
      return undefined;
    }
    if (volumeState(volume) === 'scratch' && medium.endOfData > FIRST_POSITION) {
      return this.begin(medium, volume.label);
    }
    return ['scratch', 'filling'].includes(volumeState(volume)) ? volume : undefined;
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
    const volume = { barcode, volumeId, label: label.label, capacityBytes, labelledAt };
    const isRead = { endPosition: FIRST_POSITION, writtenBytes: 0, capacityBytes, full: false };
    // Until all of it is known nobody may think that it holds nothing.
    await this.ledger.add(
      { type: 'LABELLED', ...volume },
      { type: 'EXTENT', volumeId, ...isRead, suspended: READING },
    );
    await this.readAll(medium, this.state.volumes.get(volumeId)!);
  }

  /** Writes down what is on a volume. May be repeated where a process died over it. */
  async readAll(medium: SequentialMedium, books: VolumeBooks): Promise<void> {
    const { volumeId, label } = books;
    const { fragments, unreadable } = await scanVolume(medium);
    const written = this.writtenOf(volumeId, fragments);
    await this.ledger.add(...written);
    const suspended = unreadOf(unreadable) ?? null;
    await this.ledger.add({ ...extentOf(books, medium, {}), suspended });
    this.options.log('info', `volume ${label} was read: ${fragments.length} fragments`);
    if (suspended) this.options.log('warning', `volume ${label} is suspended: ${suspended}`);
  }

  /**
   * Writes down what lies behind the end that the ledger knows: what came of the fragment that was
   * being written when a process died, or a write failed; and all that came after an old copy of the
   * ledger was made, if that was put in its place.
   */
  private async catchUp(medium: SequentialMedium, books: VolumeBooks): Promise<void> {
    const { volumeId, endPosition, writing } = books;
    if (writing === undefined && medium.endOfData <= endPosition) return;
    const { fragments, unreadable } = await scanVolume(medium, endPosition);
    const written = this.writtenOf(volumeId, fragments);
    // The one that was being written is nobody's, if its beginning did not reach the medium.
    const begun = writing === undefined ? -1 : endPosition;
    const unread = unreadOf(unreadable.filter((position) => position !== begun));
    await this.ledger.change((state) => {
      const extent = extentOf(state.volumes.get(volumeId)!, medium, {});
      return [...written, { ...extent, suspended: unread ?? extent.suspended }];
    });
  }

  /** Records of those that the ledger does not have yet. */
  private writtenOf(volumeId: string, fragments: readonly FoundFragment[]) {
    const at = this.options.clock.now().toISOString();
    return fragments
      .filter(({ manifest }) => !this.state.fragments.has(manifest.fragmentId))
      .map(({ manifest, ...place }) => {
        const kept = { manifest: manifestToKeep(manifest), ...place, at };
        return { type: 'WRITTEN', volumeId, ...kept } as const;
      });
  }

  private isNewAndOurs(label: VolumeLabel | undefined): boolean {
    const { mediaId, pool } = this.options;
    if (!label || this.state.volumes.has(label.volumeId)) return false;
    return label.mediaId === mediaId && label.pool === pool;
  }

  /** Throws `WrongVolume` where another volume is mounted than the ledger says. */
  async expectVolume(medium: SequentialMedium, volume: VolumeBooks): Promise<void> {
    const text = await this.labelText(medium);
    if (text && parseLabel(text)?.volumeId === volume.volumeId) return;
    throw new WrongVolume(medium.barcode, `does not hold volume ${volume.label}`);
  }

  private async labelText(medium: SequentialMedium): Promise<Buffer | undefined> {
    const known = this.labels.get(medium);
    if (known) return known.text;
    try {
      const text = await readLabel(medium);
      this.labels.set(medium, { text });
      return text;
    } catch (error) {
      if (error instanceof BlockUnreadable) throw new CartridgeUnusable(medium.barcode, error);
      throw error;
    }
  }

  /**
   * Writes a label on what is mounted: on a blank cartridge, or one whose every fragment is gone for
   * good. @returns undefined, and nothing is touched, for any other. Throws `CartridgeUnusable` for one
   * that does not take it.
   */
  async begin(medium: SequentialMedium, label: string): Promise<VolumeBooks | undefined> {
    const { barcode } = medium;
    const { clock, mediaId, pool } = this.options;
    const text = await this.labelText(medium);
    const books = this.state.volumeOn(barcode);
    const { endOfData } = medium;
    const permit = permitRecycling({ barcode, label: text, endOfData }, books);
    if (!permit) return undefined;
    const now = clock.now();
    const volumeId = uuidv7(now);
    const labelledAt = now.toISOString();
    const first = encodeLabel({ label, volumeId, mediaId, pool, labelledAt });
    await medium.begin(permit, first).catch((error: unknown) => {
      throw error instanceof VolumeWriteFailed ? new CartridgeUnusable(barcode, error) : error;
    });
    this.labels.set(medium, { text: first });
    const capacityBytes = Math.min(books?.capacityBytes ?? Infinity, medium.capacityBytes);
    const volume = { barcode, volumeId, label, capacityBytes, labelledAt };
    await this.ledger.add({ type: 'LABELLED', ...volume });
    this.options.log('info', `labelled cartridge ${barcode} as volume ${label}`);
    return this.state.volumes.get(volumeId);
  }

  /**
   * Has nothing more written to a volume, or (without a reason) ends that. Throws for a volume of which
   * the ledger does not know all: it could be taken for one that holds nothing.
   */
  async suspend({ barcode, label }: VolumeBooks, reason: string | null): Promise<void> {
    await this.ledger.change((state) => {
      const volume = state.volumeOn(barcode);
      if (!volume) return [];
      if (isUnclear(volume)) {
        if (reason !== null) return [];
        const why = `Volume ${volume.label} stays suspended: ${volume.suspended}.`;
        throw new PermanentError(
          STATUS.mediaInUse,
          `${why} What is on it can be read and duplicated.`,
          'volume',
        );
      }
      return suspension(volume, reason);
    });
    const { log } = this.options;
    if (reason !== null) log('warning', `volume ${label} is suspended: ${reason}`);
  }

  /** Finds out what is on a cartridge of which the ledger has no volume, and writes it down. */
  async identify(medium: SequentialMedium): Promise<void> {
    const { barcode, capacityBytes } = medium;
    if (this.state.volumeOn(barcode)) return;
    const text = await this.labelText(medium);
    if (text) await this.adopt(medium, text);
    else await this.ledger.add({ ...CARTRIDGE, kind: 'blank', barcode, capacityBytes });
  }

  /** A cartridge that cannot be opened is not tried again. */
  async setAside(barcode: string, reason: string): Promise<void> {
    const volume = this.state.volumeOn(barcode);
    const capacityBytes = this.state.others.get(barcode)?.capacityBytes ?? 0;
    if (volume) await this.suspend(volume, reason);
    else await this.ledger.add({ ...CARTRIDGE, kind: 'foreign', barcode, capacityBytes, reason });
  }

  /** Throws for a cartridge that holds anything, or of which the ledger does not know all. */
  expectRetirable(barcode: string): void {
    const volume = this.state.volumeOn(barcode);
    if (!volume || (holdsNothing(volume) && !isUnclear(volume))) return;
    const { label, holds, writing } = volume;
    const fragments = `it holds ${holds.size} fragments. Expire their images, and wait until their trash is emptied`;
    const unknown = writing === undefined ? volume.suspended : 'a fragment is being written to it';
    const why = holds.size > 0 ? fragments : unknown;
    throw new PermanentError(STATUS.mediaInUse, `Volume ${label} stays in use: ${why}.`, 'volume');
  }

  /** Forgets a cartridge that holds nothing. */
  async retire(barcode: string): Promise<void> {
    this.expectRetirable(barcode);
    await this.ledger.add({ type: 'RETIRED', barcode });
    this.options.log('info', `cartridge ${barcode} is out of use`);
  }

  private get ledger(): LibraryLedger {
    return this.options.ledger;
  }

  private get state(): LibraryState {
    return this.ledger.state;
  }
}

/** Why a volume is suspended that a process began to read and has not come to the end of. */
export const READING = 'it is being looked over';

const UNREAD = 'files on it could not be read when it was looked over';

function unreadOf(unreadable: readonly number[]): string | undefined {
  return unreadable.length > 0 ? `${unreadable.length} ${UNREAD}` : undefined;
}

function isUnclear({ suspended }: VolumeBooks): boolean {
  return suspended !== undefined && saysUnclear(suspended);
}

/** A reason that the library alone gives, and by which it knows what it has not read. */
export function saysUnclear(reason: string): boolean {
  return reason === READING || reason.endsWith(UNREAD);
}

/** What is being written to it goes on. */
function suspension(volume: VolumeBooks, suspended: string | null): LibraryRecord[] {
  const { volumeId, endPosition, writtenBytes, capacityBytes, full, writing } = volume;
  const extent = { endPosition, writtenBytes, capacityBytes, full, suspended };
  const isWriting = { type: 'WRITING', volumeId, fragmentId: writing ?? '' } as const;
  return [{ type: 'EXTENT', volumeId, ...extent }, ...(writing === undefined ? [] : [isWriting])];
}

const CARTRIDGE = { type: 'CARTRIDGE', reason: '' } as const;

/** How far a volume is used after something was added to it. */
export function extentOf(
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
