import type { Manifest } from '#archive/manifest.js';
import type { Condenser } from '../journal/journal.js';
import type { LibraryRecord } from './library-record.js';
import { FIRST_POSITION } from '../sequential/volume-format.js';

/** A volume as the ledger knows it. */
export interface VolumeBooks {
  readonly volumeId: string;
  readonly label: string;
  readonly barcode: string;
  readonly capacityBytes: number;
  readonly labelledAt: string;
  readonly writtenBytes: number;
  /** Behind what the ledger knows of. */
  readonly endPosition: number;
  readonly full: boolean;
  readonly suspended?: string;
  /** A fragment of which nobody knows yet what came of it. */
  readonly writing?: string;
  /** Fragments that are in their places or in the trash now. */
  readonly holds: ReadonlySet<string>;
}

/** A fragment on a volume. */
export interface FragmentOnVolume {
  readonly manifest: Manifest;
  readonly volumeId: string;
  /** Of its header. */
  readonly position: number;
  readonly manifestBytes: number;
  readonly at: string;
  readonly trash?: { readonly tombstoneId: string; readonly since: string };
}

export interface OtherCartridge {
  readonly barcode: string;
  readonly kind: 'blank' | 'foreign';
  readonly capacityBytes: number;
  readonly reason: string;
}

export type VolumeState = 'scratch' | 'filling' | 'full' | 'suspended';

/** All that a library's ledger says; changed by `apply` alone. */
export class LibraryState implements Condenser<LibraryRecord> {
  readonly volumes = new Map<string, VolumeBooks>();
  readonly fragments = new Map<string, FragmentOnVolume>();
  /** By barcode: cartridges without a volume of ours. */
  readonly others = new Map<string, OtherCartridge>();
  private readonly byBarcode = new Map<string, string>();
  /** The same sets as in the volumes. */
  private readonly held = new Map<string, Set<string>>();
  /** Fragments in the trash, by tombstone. */
  private readonly trashed = new Map<string, Set<string>>();

  volumeOn(barcode: string): VolumeBooks | undefined {
    const volumeId = this.byBarcode.get(barcode);
    return volumeId === undefined ? undefined : this.volumes.get(volumeId);
  }

  isKnown(barcode: string): boolean {
    return this.byBarcode.has(barcode) || this.others.has(barcode);
  }

  /** What lies in the trash, or what one tombstone has put there. */
  trash(only?: string): FragmentOnVolume[] {
    const sets = only === undefined ? [...this.trashed.values()] : [this.trashed.get(only) ?? []];
    return sets.flatMap((ids) => [...ids].map((fragmentId) => this.fragment(fragmentId)));
  }

  /** Throws unless all of these can follow, one after the other, what the ledger says now. */
  expectFit(records: readonly LibraryRecord[]): void {
    const begun = new Set<string>();
    for (const record of records) {
      const id = this.misfit(record, begun);
      if (id !== undefined) throw unfit(record.type, id);
      if (record.type === 'LABELLED') begun.add(record.volumeId);
      if (record.type === 'WRITTEN') begun.add(record.manifest.fragmentId);
    }
  }

  /**
   * The state after one more record. One that fits no state is a damaged ledger or a bug: it throws,
   * since to guess is to lose something.
   */
  apply(record: LibraryRecord): void {
    this.expectFit([record]);
    switch (record.type) {
      case 'CARTRIDGE': {
        const { barcode, kind, capacityBytes, reason } = record;
        this.others.set(barcode, { barcode, kind, capacityBytes, reason });
        return;
      }
      case 'LABELLED':
        return this.labelled(record);
      case 'WRITING':
        return this.change(record.volumeId, { writing: record.fragmentId });
      case 'WRITTEN':
        return this.written(record);
      case 'EXTENT': {
        const { volumeId, endPosition, writtenBytes, capacityBytes, full, suspended } = record;
        const { suspended: _, writing: __, ...volume } = this.volume(volumeId);
        const extent = { endPosition, writtenBytes, capacityBytes, full };
        const isSuspended = suspended === null ? {} : { suspended };
        this.volumes.set(volumeId, { ...volume, ...extent, ...isSuspended });
        return;
      }
      case 'TRASHED': {
        const { fragmentId, tombstoneId, at } = record;
        const fragment = this.outOfTrash(fragmentId);
        this.fragments.set(fragmentId, { ...fragment, trash: { tombstoneId, since: at } });
        const beside = this.trashed.get(tombstoneId) ?? new Set();
        this.trashed.set(tombstoneId, beside.add(fragmentId));
        return;
      }
      case 'TAKEN_BACK':
        this.fragments.set(record.fragmentId, this.outOfTrash(record.fragmentId));
        return;
      case 'GONE':
        return this.gone(record.fragmentId);
      case 'RETIRED': {
        this.forgetVolume(record.barcode);
        this.byBarcode.delete(record.barcode);
        this.others.delete(record.barcode);
        return;
      }
      default:
        return record satisfies never;
    }
  }

  /** The fewest records that lead to this state. */
  *records(): Generator<LibraryRecord> {
    for (const other of this.others.values()) yield { type: 'CARTRIDGE', ...other };
    for (const volume of this.volumes.values()) yield* this.recordsOf(volume);
  }

  private *recordsOf(volume: VolumeBooks): Generator<LibraryRecord> {
    const { volumeId, barcode, label, capacityBytes, labelledAt } = volume;
    const { endPosition, writtenBytes, full, suspended = null, writing } = volume;
    yield { type: 'LABELLED', volumeId, barcode, label, capacityBytes, labelledAt };
    for (const fragmentId of volume.holds) {
      const { trash, ...fragment } = this.fragment(fragmentId);
      yield { type: 'WRITTEN', ...fragment };
      if (!trash) continue;
      yield { type: 'TRASHED', fragmentId, tombstoneId: trash.tombstoneId, at: trash.since };
    }
    const extent = { endPosition, writtenBytes, capacityBytes, full, suspended };
    yield { type: 'EXTENT', volumeId, ...extent };
    if (writing !== undefined) yield { type: 'WRITING', volumeId, fragmentId: writing };
  }

  /** What a record is about that does not fit. `begun`: volumes and fragments that begin just before it. */
  private misfit(record: LibraryRecord, begun: ReadonlySet<string>): string | undefined {
    switch (record.type) {
      case 'CARTRIDGE':
        return this.byBarcode.has(record.barcode) ? record.barcode : undefined;
      case 'LABELLED': {
        const isHeld = (this.volumeOn(record.barcode)?.holds.size ?? 0) > 0;
        return isHeld || this.volumes.has(record.volumeId) ? record.volumeId : undefined;
      }
      case 'WRITTEN': {
        const { fragmentId } = record.manifest;
        if (this.fragments.has(fragmentId) || begun.has(fragmentId)) return fragmentId;
        return this.isVolume(record.volumeId, begun) ? undefined : record.volumeId;
      }
      case 'WRITING':
      case 'EXTENT':
        return this.isVolume(record.volumeId, begun) ? undefined : record.volumeId;
      case 'TRASHED':
      case 'TAKEN_BACK':
        return this.fragments.has(record.fragmentId) ? undefined : record.fragmentId;
      case 'GONE':
        return this.fragments.get(record.fragmentId)?.trash ? undefined : record.fragmentId;
      case 'RETIRED': {
        const volume = this.volumeOn(record.barcode);
        const isFree = volume ? holdsNothing(volume) : this.others.has(record.barcode);
        return isFree ? undefined : record.barcode;
      }
      default:
        return record satisfies never;
    }
  }

  private isVolume(volumeId: string, begun: ReadonlySet<string>): boolean {
    return this.volumes.has(volumeId) || begun.has(volumeId);
  }

  private labelled(record: Extract<LibraryRecord, { type: 'LABELLED' }>): void {
    const { barcode, volumeId, label, capacityBytes, labelledAt } = record;
    this.forgetVolume(barcode);
    this.others.delete(barcode);
    this.byBarcode.set(barcode, volumeId);
    const extent = { endPosition: FIRST_POSITION, writtenBytes: 0, full: false };
    const holds = new Set<string>();
    this.held.set(volumeId, holds);
    const volume = { volumeId, label, barcode, capacityBytes, labelledAt, holds, ...extent };
    this.volumes.set(volumeId, volume);
  }

  private written(record: Extract<LibraryRecord, { type: 'WRITTEN' }>): void {
    const { volumeId, manifest, position, manifestBytes, at } = record;
    const { fragmentId } = manifest;
    this.fragments.set(fragmentId, { manifest, volumeId, position, manifestBytes, at });
    this.held.get(volumeId)!.add(fragmentId);
  }

  private gone(fragmentId: string): void {
    const { volumeId } = this.outOfTrash(fragmentId);
    this.fragments.delete(fragmentId);
    this.held.get(volumeId)!.delete(fragmentId);
  }

  private forgetVolume(barcode: string): void {
    const volumeId = this.byBarcode.get(barcode);
    if (volumeId === undefined) return;
    this.volumes.delete(volumeId);
    this.held.delete(volumeId);
  }

  /** The fragment as it is without the trash. */
  private outOfTrash(fragmentId: string): FragmentOnVolume {
    const { trash, ...fragment } = this.fragment(fragmentId);
    const beside = trash && this.trashed.get(trash.tombstoneId);
    beside?.delete(fragmentId);
    if (trash && beside?.size === 0) this.trashed.delete(trash.tombstoneId);
    return fragment;
  }

  private change(volumeId: string, over: Partial<VolumeBooks>): void {
    this.volumes.set(volumeId, { ...this.volume(volumeId), ...over });
  }

  private volume(volumeId: string): VolumeBooks {
    const volume = this.volumes.get(volumeId);
    if (!volume) throw unfit('a record', volumeId);
    return volume;
  }

  private fragment(fragmentId: string): FragmentOnVolume {
    const fragment = this.fragments.get(fragmentId);
    if (!fragment) throw unfit('a record', fragmentId);
    return fragment;
  }
}

/** No fragment is on it, not even in the trash, and none is being written. */
export function holdsNothing({ holds, writing }: VolumeBooks): boolean {
  return holds.size === 0 && writing === undefined;
}

/** What a volume can be used for. Scratch is what holds nothing that anybody may still want. */
export function volumeState(volume: VolumeBooks): VolumeState {
  if (volume.suspended !== undefined) return 'suspended';
  if (holdsNothing(volume)) return 'scratch';
  return volume.full ? 'full' : 'filling';
}

/** Bytes that it still takes. */
export function roomOn(volume: VolumeBooks): number {
  switch (volumeState(volume)) {
    case 'scratch':
      return volume.capacityBytes;
    case 'filling':
      return Math.max(0, volume.capacityBytes - volume.writtenBytes);
    case 'full':
    case 'suspended':
      return 0;
    default:
      throw new Error('a volume in no state');
  }
}

function unfit(type: string, id: string): Error {
  return new Error(`the library's ledger has ${type} of ${id}, which fits nothing before it`);
}
