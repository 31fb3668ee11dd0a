import { LINKED_FILES_MAX, type IndexItem } from '#archive/chain/index-merge.js';
import { parseIndexLine, type IndexLine } from '#archive/index-line.js';
import type { ByteString } from '#archive/path-text.js';

const [SIZE, OFFSET, LENGTH] = [2, 7, 8];

/** An entry is not what one has to be. The message goes on after its path. */
export class EntryDamaged extends Error {
  override readonly name = 'EntryDamaged';

  constructor(
    reason: string,
    /** Where in the archive of its image, where that is known. */
    readonly offset?: number,
  ) {
    super(reason);
  }
}

/** A piece of an image's archive: whole entries, with header, content and padding. */
export interface ArchivePiece {
  readonly image: number;
  readonly offset: number;
  readonly length: number;
}

/** An entry of the merged images that is copied as it stands. */
export interface PlainEntry extends ArchivePiece {
  readonly size: number;
  readonly columns: readonly string[];
}

/** @throws EntryDamaged for a line that is none. */
export function plainEntry({ image, line }: IndexItem): PlainEntry {
  const columns = line.split('\t');
  const [size, offset, length] = [SIZE, OFFSET, LENGTH].map((n) => Number(columns[n]));
  if (columns.length !== 11 || !isPlace(size) || !isPlace(offset) || !isPlace(length)) {
    throw new EntryDamaged('has a line that is none');
  }
  return { image, offset, length, size, columns };
}

/** Its index line at its new place. */
export function movedLine({ columns }: PlainEntry, offset: number): string {
  const moved = [...columns];
  moved[OFFSET] = String(offset);
  return `${moved.join('\t')}\n`;
}

/** A hard link of the merged images, with where its data lies in its own image. */
export interface LinkEntry {
  readonly line: IndexLine;
  readonly own: ArchivePiece;
  readonly data: ArchivePiece;
}

/** @throws EntryDamaged for a line that is none. */
export function linkEntry({ image, line }: IndexItem): LinkEntry {
  const parsed = parsedLine(line);
  const { own, offset, length } = parsed;
  if (![offset, length, own.offset, own.length].every(isPlace)) {
    throw new EntryDamaged('is a link with an impossible place');
  }
  return { line: parsed, own: { image, ...own }, data: { image, offset, length } };
}

/** Where the data of a linked file has come to lie in the new archive. */
export interface NewPlace {
  readonly path: ByteString;
  readonly offset: number;
  readonly length: number;
}

/**
 * Which data of the chain hard links point at, and where it lies in the new archive once it is there. A link
 * whose data does not come there, because its path was deleted or holds something else by now, takes its place.
 */
export class LinkedData {
  private readonly wanted = new Set<string>();
  private readonly places = new Map<string, NewPlace>();

  /** First, of every link of the merged images. */
  want({ data }: LinkEntry): void {
    if (this.wanted.size < LINKED_FILES_MAX) this.wanted.add(keyOf(data));
  }

  /** An entry has its place in the new archive. */
  placed(data: ArchivePiece, place: NewPlace): void {
    if (this.wanted.size === 0) return;
    const key = keyOf(data);
    if (this.wanted.has(key)) this.places.set(key, place);
  }

  find(data: ArchivePiece): NewPlace | undefined {
    return this.places.get(keyOf(data));
  }
}

function parsedLine(line: string): IndexLine {
  try {
    return parseIndexLine(line);
  } catch {
    throw new EntryDamaged('has a line that is none');
  }
}

function keyOf({ image, offset }: ArchivePiece): string {
  return `${image}:${offset}`;
}

function isPlace(value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0;
}
