import { emptyEntry, type ArchiveEntry } from './archive-entry.js';
import { PAX_RECORDS_BYTES_MAX, applyPaxRecords, parsePaxRecords } from './tar/pax-records.js';
import type { ByteString } from './path-text.js';
import { SparseMapReader, dataBytesOf, type DataRange } from './sparse-map.js';
import { TAR_BLOCK_BYTES, paddedToBlock, type EntryType } from './tar-block.js';
import { readUstarHeader, type UstarFields } from './tar/ustar-header.js';

/** What comes out of an archive, in order: an entry, its data, its `done`; after the last one `end`. */
export type ArchiveEvent =
  | { readonly kind: 'entry'; readonly entry: ArchiveEntry; readonly archiveOffset: number }
  /** `bytes` belong at `offset` of the file. A view of the chunk that was pushed: copy it to keep it. */
  | { readonly kind: 'data'; readonly bytes: Buffer; readonly offset: number }
  /** The whole content of the last entry has come. `archiveEnd` is where its padding ends. */
  | { readonly kind: 'done'; readonly archiveEnd: number }
  | { readonly kind: 'end' };

const TYPES: Readonly<Record<string, EntryType>> = {
  '\0': 'f',
  '0': 'f',
  '7': 'f',
  '1': 'h',
  '2': 'l',
  '3': 'c',
  '4': 'b',
  '5': 'd',
  '6': 'p',
};

type State = 'header' | 'records' | 'map' | 'data' | 'padding' | 'end';

/**
 * Reads a tar archive (ustar, pax, GNU sparse 1.0) that comes in pieces of any size. Memory: what was
 * pushed, and at most one entry's records. Whoever consumes the events sets the pace.
 */
export class PaxReader {
  #state: State = 'header';
  #held: Buffer = Buffer.alloc(0);
  #position: number;
  #entryOffset: number;
  #inEntry = false;
  #zeroBlocks = 0;
  #wanted = TAR_BLOCK_BYTES;
  #recordKind = 'x';
  #globals = new Map<string, ByteString>();
  #records = new Map<string, ByteString>();
  #entry = emptyEntry();
  #ranges: readonly DataRange[] = [];
  #map = new SparseMapReader();
  #range = 0;
  #inRange = 0;
  #dataLeft = 0;
  #paddingLeft = 0;

  /** @param archiveOffset where in the archive the first chunk begins; it must be a header. */
  constructor(archiveOffset = 0) {
    this.#position = archiveOffset;
    this.#entryOffset = archiveOffset;
  }

  get ended(): boolean {
    return this.#state === 'end';
  }

  /**
   * Takes the next piece. The caller must exhaust the events before it pushes again.
   * @throws Error naming the archive offset, if this is not a sound archive.
   */
  *push(chunk: Buffer): Generator<ArchiveEvent, void, undefined> {
    let at = 0;
    try {
      while (at < chunk.length && this.#state !== 'end') {
        if (this.#state === 'data') {
          const bytes = chunk.subarray(at, at + this.#nextDataBytes(chunk.length - at));
          yield this.#takeData(bytes);
          at += bytes.length;
          if (this.#dataLeft === 0) yield* this.#endOfData();
        } else if (this.#state === 'padding') {
          const skipped = Math.min(this.#paddingLeft, chunk.length - at);
          this.#paddingLeft -= skipped;
          this.#position += skipped;
          at += skipped;
          if (this.#paddingLeft === 0) yield this.#endOfEntry();
        } else {
          const block = this.#collect(chunk, at);
          at += block.taken;
          if (block.bytes) yield* this.#takeBlock(block.bytes);
        }
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`${reason} (archive offset ${this.#position})`, { cause: error });
    }
  }

  /** Hands out `#wanted` bytes at once, without a copy where the chunk has them. */
  #collect(chunk: Buffer, at: number): { taken: number; bytes?: Buffer } {
    const missing = this.#wanted - this.#held.length;
    const taken = Math.min(missing, chunk.length - at);
    const piece = chunk.subarray(at, at + taken);
    const bytes = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    if (taken < missing) {
      this.#held = Buffer.from(bytes);
      return { taken };
    }
    this.#held = Buffer.alloc(0);
    return { taken, bytes };
  }

  *#takeBlock(bytes: Buffer): Generator<ArchiveEvent, void, undefined> {
    if (this.#state === 'records') {
      const into = this.#recordKind === 'g' ? this.#globals : this.#records;
      parsePaxRecords(bytes.subarray(0, this.#dataLeft), into);
      this.#position += bytes.length;
      this.#expect('header', TAR_BLOCK_BYTES);
    } else if (this.#state === 'map') {
      yield* this.#takeMap(bytes);
    } else {
      yield* this.#takeHeader(bytes);
    }
  }

  *#takeHeader(block: Buffer): Generator<ArchiveEvent, void, undefined> {
    const fields = readUstarHeader(block);
    if (!this.#inEntry) this.#entryOffset = this.#position;
    this.#position += TAR_BLOCK_BYTES;
    if (!fields) {
      if (this.#inEntry) throw new Error('The archive ends within an entry');
      if (++this.#zeroBlocks < 2) return;
      this.#state = 'end';
      yield { kind: 'end' };
      return;
    }
    this.#zeroBlocks = 0;
    this.#inEntry = true;
    if (fields.typeFlag === 'x' || fields.typeFlag === 'g') {
      if (!(fields.size <= PAX_RECORDS_BYTES_MAX)) throw new Error('The pax records are too large');
      this.#recordKind = fields.typeFlag;
      this.#dataLeft = fields.size;
      if (fields.size > 0) this.#expect('records', paddedToBlock(fields.size));
      return;
    }
    yield* this.#beginEntry(fields);
  }

  *#beginEntry(fields: UstarFields): Generator<ArchiveEvent, void, undefined> {
    const records = new Map([...this.#globals, ...this.#records]);
    this.#records.clear();
    const entry = entryOf(fields);
    applyPaxRecords(entry, records);
    this.#entry = entry;
    this.#dataLeft = entry.type === 'f' ? entry.size : 0;
    const realSize = records.get('GNU.sparse.realsize');
    requireSize(entry.size);
    if (records.get('GNU.sparse.major') === '1' && realSize !== undefined) {
      entry.size = Number(realSize);
      requireSize(entry.size);
      this.#map = new SparseMapReader();
      this.#expect('map', TAR_BLOCK_BYTES);
      return;
    }
    if (entry.type !== 'f') entry.size = 0;
    this.#ranges = [{ offset: 0, length: this.#dataLeft }];
    yield* this.#announce();
  }

  *#takeMap(bytes: Buffer): Generator<ArchiveEvent, void, undefined> {
    this.#position += bytes.length;
    this.#dataLeft -= bytes.length;
    const ranges = this.#map.push(bytes);
    if (!ranges) {
      if (this.#dataLeft <= 0) throw new Error('The map of a sparse file is cut short');
      return;
    }
    this.#entry.sparse = ranges;
    this.#ranges = ranges;
    const last = ranges.at(-1);
    const tooLong = last !== undefined && last.offset + last.length > this.#entry.size;
    if (tooLong || dataBytesOf(ranges) !== this.#dataLeft) {
      throw new Error('The map of a sparse file does not fit its data');
    }
    yield* this.#announce();
  }

  *#announce(): Generator<ArchiveEvent, void, undefined> {
    this.#range = 0;
    this.#inRange = 0;
    this.#paddingLeft = paddedToBlock(this.#dataLeft) - this.#dataLeft;
    this.#normalisePath();
    yield { kind: 'entry', entry: this.#entry, archiveOffset: this.#entryOffset };
    if (this.#dataLeft === 0) yield* this.#endOfData();
    else this.#state = 'data';
  }

  #nextDataBytes(available: number): number {
    return Math.min(this.#ranges[this.#range]!.length - this.#inRange, available);
  }

  #takeData(bytes: Buffer): ArchiveEvent {
    const range = this.#ranges[this.#range]!;
    const offset = range.offset + this.#inRange;
    this.#inRange += bytes.length;
    this.#dataLeft -= bytes.length;
    this.#position += bytes.length;
    if (this.#inRange === range.length) {
      this.#range++;
      this.#inRange = 0;
    }
    return { kind: 'data', bytes, offset };
  }

  *#endOfData(): Generator<ArchiveEvent, void, undefined> {
    if (this.#paddingLeft > 0) this.#state = 'padding';
    else yield this.#endOfEntry();
  }

  #endOfEntry(): ArchiveEvent {
    this.#inEntry = false;
    this.#expect('header', TAR_BLOCK_BYTES);
    return { kind: 'done', archiveEnd: this.#position };
  }

  #normalisePath(): void {
    const entry = this.#entry;
    entry.path = entry.path.replace(/^(?:\.?\/+)+/, '').replace(/\/+$/, '');
    if (entry.path === '.') entry.path = '';
  }

  #expect(state: State, bytes: number): void {
    this.#state = state;
    this.#wanted = bytes;
  }
}

/** A negative one, or none at all, would never be reached by what is read. */
function requireSize(bytes: number): void {
  if (Number.isSafeInteger(bytes) && bytes >= 0) return;
  throw new Error(`"${bytes}" is no size of an entry`);
}

function entryOf(fields: UstarFields): ArchiveEntry {
  const type = TYPES[fields.typeFlag];
  if (!type) throw new Error(`Entries of type "${fields.typeFlag}" are not known`);
  return {
    ...emptyEntry(),
    type,
    path: fields.prefix === '' ? fields.name : `${fields.prefix}/${fields.name}`,
    linkTarget: fields.linkName,
    size: fields.size,
    mtimeSeconds: fields.mtime,
    mode: fields.mode,
    uid: fields.uid,
    gid: fields.gid,
    userName: fields.userName,
    groupName: fields.groupName,
    deviceMajor: fields.deviceMajor,
    deviceMinor: fields.deviceMinor,
  };
}
