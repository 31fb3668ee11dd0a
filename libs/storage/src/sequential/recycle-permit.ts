import type { RecyclePermit } from './sequential-medium.js';
import { parseLabel } from './volume-format.js';

/** What the books say of the volume on a cartridge. */
export interface BooksOfVolume {
  readonly volumeId: string;
  /** Fragments that are in their places or in the trash of a tombstone. */
  readonly holds: ReadonlySet<string>;
  /** One is being written, or was when a process died: what came of it is not known yet. */
  readonly writing?: string;
  readonly suspended?: string;
  /** Behind the last of what they know of. */
  readonly endPosition: number;
}

/** What is mounted. */
export interface MountedCartridge {
  readonly barcode: string;
  /** Its first block; undefined for a blank one. */
  readonly label: Buffer | undefined;
  readonly endOfData: number;
}

/**
 * Says yes to a blank cartridge, and to a volume of which the books know that every fragment is gone
 * by its tombstone for good. Anything else on a cartridge is somebody's; also what lies behind the
 * end that the books know (they may be older than it).
 */
export function permitRecycling(
  { barcode, label, endOfData }: MountedCartridge,
  books: BooksOfVolume | undefined,
): RecyclePermit | undefined {
  if (label === undefined) return books === undefined ? make(barcode, label) : undefined;
  if (!books || parseLabel(label)?.volumeId !== books.volumeId) return undefined;
  const isFree = books.holds.size === 0 && !books.writing && books.suspended === undefined;
  return isFree && endOfData <= books.endPosition ? make(barcode, label) : undefined;
}

function make(barcode: string, label: Buffer | undefined): RecyclePermit {
  return { barcode, label } as RecyclePermit;
}
