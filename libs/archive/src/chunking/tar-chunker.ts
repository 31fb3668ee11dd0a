import { TAR_BLOCK_BYTES, paddedToBlock } from '../tar-block.js';
import { paxValue } from '../tar/pax-records.js';
import { readUstarHeader, type UstarFields } from '../tar/ustar-header.js';
import { ContentCutter } from './content-cutter.js';
import { GearCutter } from './gear-cutter.js';
import type { CutMemory } from './known-cuts.js';

/** An entry, headers and all, from here on is a chunk of its own. Smaller ones are joined. */
const WHOLE_BYTES_MIN = 4 * 1024;
/** From here on its headers are a chunk, and its content is cut by what it holds. */
const CUT_BYTES_MIN = 64 * 1024;
/** Small entries are joined up to this, or up to one whose name says so. */
const RUN_BYTES_MAX = 32 * 1024;
/** Every fourth name ends a run: so runs behind a file that is new or gone are soon as they were. */
const RUN_END_MASK = 3;

const NAME_BYTES = 100;
const MAGIC_AT = 257;
const MAGIC = 0x75737461; // `usta`
/** Nothing follows the headers of these, whatever their size says. */
const WITHOUT_CONTENT = '123456';
/** What follows these (pax records, long names) belongs to the header behind it. */
const BEFORE_HEADER = 'xgLK';

/** Where in an archive a chunker begins. */
export interface ChunkerStart {
  readonly archiveOffset: number;
  /** Archive bytes, padding and all, of an entry that began before; undefined: not known. */
  readonly entryLeft?: number | undefined;
}

type State =
  /** At a header, of which the first `held` bytes are there. */
  | 'header'
  /** In pax records, in front of another header. */
  | 'records'
  /** In what is nobody's business here, in front of another header. */
  | 'passed'
  /** In an entry that is not cut. */
  | 'entry'
  /** In content that is cut by what it holds. */
  | 'content'
  /** There was no header where one should be: cut by what it holds, until there is one. */
  | 'lost';

/**
 * Cuts a tar archive, which comes in pieces of any size, into chunks for a volume that deduplicates: at the
 * boundaries of its entries, and large ones by what they hold. Whatever the bytes are, the chunks
 * are all of them, in order; none is longer than 2 MiB, and 64 KiB more behind pax records that lead to no
 * header. How pieces are cut changes nothing.
 * It looks at headers alone, so it follows any archive, and keeps at most 64 KiB of one, and 2 MiB of what was pushed.
 */
export class TarChunker {
  #state: State;
  /** Places count from the first byte that was pushed. */
  #position = 0;
  #cutAt = 0;
  #entryAt = 0;
  /** Where the records, the entry or the content end. */
  #until = 0;
  #endsRun = false;
  readonly #block = Buffer.alloc(TAR_BLOCK_BYTES);
  #held = 0;
  #records: Buffer[] = [];
  readonly #content: ContentCutter;
  /** For what is no content that a header has announced. */
  readonly #gear = new GearCutter();

  /**
   * @param cut is told where each chunk ends, before another 2 MiB were pushed, or by `end`; and its BLAKE3, if that was
   * looked at
   * @param memory of cuts in large contents, which makes them cheaper to find again
   */
  constructor(
    start: ChunkerStart,
    private readonly cut: (end: number, id?: Buffer) => void,
    memory?: CutMemory,
  ) {
    const { archiveOffset, entryLeft } = start;
    this.#content = new ContentCutter((end, id) => this.#cutHere(end, id), memory);
    this.#state = entryLeft === undefined ? 'lost' : entryLeft > 0 ? 'content' : 'header';
    this.#until = entryLeft ?? paddedToBlock(archiveOffset) - archiveOffset;
    if (entryLeft === undefined && this.#until > 0) this.#state = 'content';
  }

  /** Takes the next piece, which must not change before all chunks in it have been cut. */
  push(bytes: Buffer): void {
    const base = this.#position;
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, this.#until - base);
      switch (this.#state) {
        case 'header':
        case 'lost':
          at = this.#takeBlock(bytes, at);
          break;
        case 'records':
          this.#records.push(Buffer.from(bytes.subarray(at, end)));
          at = this.#goOn(base, end);
          break;
        case 'passed':
        case 'entry':
          at = this.#goOn(base, end);
          break;
        case 'content':
          this.#content.push(bytes.subarray(at, end));
          at = this.#goOn(base, end);
          break;
        default:
          this.#state satisfies never;
      }
      this.#position = base + at;
    }
  }

  /** Nothing follows: ends the last chunk. */
  end(): void {
    if (this.#state === 'content') this.#content.end();
    this.#cutHere(this.#position);
  }

  #goOn(base: number, end: number): number {
    if (base + end < this.#until) return end;
    const state = this.#state;
    const until = this.#until;
    this.#state = 'header';
    if (state === 'records' || state === 'passed') return end;
    if (state === 'content') this.#content.end();
    if (state === 'content' || this.#endsRun) this.#cutHere(until);
    this.#entryAt = until;
    this.#records = [];
    return end;
  }

  /** @returns behind what was taken of the piece */
  #takeBlock(bytes: Buffer, at: number): number {
    const taken = Math.min(TAR_BLOCK_BYTES - this.#held, bytes.length - at);
    const begin = this.#position - this.#held;
    let block = bytes.subarray(at, at + taken);
    if (taken < TAR_BLOCK_BYTES) {
      block.copy(this.#block, this.#held);
      this.#held += taken;
      if (this.#held < TAR_BLOCK_BYTES) return at + taken;
      block = this.#block;
      this.#held = 0;
    }
    const header = headerIn(block);
    if (header) {
      if (this.#state === 'lost') this.#findItself(begin);
      this.#takeHeader(header, block, begin + TAR_BLOCK_BYTES);
    } else {
      if (this.#state === 'header') this.#loseItself();
      this.#cutLost(block, begin);
    }
    return at + taken;
  }

  #loseItself(): void {
    this.#cutHere(this.#entryAt);
    this.#gear.restart();
    this.#state = 'lost';
  }

  #findItself(at: number): void {
    this.#cutHere(at);
    this.#entryAt = at;
    this.#records = [];
    this.#state = 'header';
  }

  /** @param end behind the header's block */
  #takeHeader(header: UstarFields, block: Buffer, end: number): void {
    const { typeFlag, size } = header;
    const hasNone = WITHOUT_CONTENT.includes(typeFlag);
    const bytes = paddedToBlock(hasNone ? 0 : size);
    if (BEFORE_HEADER.includes(typeFlag)) {
      if (end + bytes - this.#entryAt > CUT_BYTES_MIN) return this.#loseItself();
      this.#until = end + bytes;
      if (bytes > 0) this.#state = typeFlag === 'x' ? 'records' : 'passed';
      return;
    }
    const content = bytes > 0 || hasNone ? bytes : this.#sizeInRecords();
    this.#takeEntry({ end, bytes: content, ends: this.#isRunEnd(block) });
  }

  #takeEntry({ end, bytes, ends }: { end: number; bytes: number; ends: boolean }): void {
    const whole = end + bytes - this.#entryAt;
    const isSmall = whole < WHOLE_BYTES_MIN;
    if (!isSmall || end + bytes - this.#cutAt > RUN_BYTES_MAX) this.#cutHere(this.#entryAt);
    this.#until = end + bytes;
    this.#endsRun = !isSmall || ends;
    this.#state = 'entry';
    if (whole >= CUT_BYTES_MIN) {
      this.#cutHere(end);
      this.#content.begin(end);
      this.#state = 'content';
    } else if (bytes === 0) this.#goOn(end, 0);
  }

  #cutLost(block: Buffer, begin: number): void {
    for (let at = 0; at < TAR_BLOCK_BYTES;) {
      const cut = this.#gear.take(block, at, TAR_BLOCK_BYTES);
      if (cut < 0) return;
      this.#cutHere(begin + cut);
      at = cut;
    }
  }

  #cutHere(at: number, id?: Buffer): void {
    if (at <= this.#cutAt) return;
    this.#cutAt = at;
    this.cut(at, id);
  }

  /** A size that does not fit into a header stands in front of it, and the header says 0. */
  #sizeInRecords(): number {
    const digits = this.#record('size');
    const size = digits === undefined ? 0 : Number(digits);
    return Number.isSafeInteger(size) && size > 0 ? paddedToBlock(size) : 0;
  }

  /** Nothing but the name decides: an entry that has changed ends its run, or does not, as before. */
  #isRunEnd(block: Buffer): boolean {
    const name = this.#record('path') ?? block.toString('latin1', 0, NAME_BYTES);
    let hash = 0x811c9dc5;
    for (let at = 0; at < name.length; at += 1) {
      const code = name.charCodeAt(at);
      if (code === 0) break;
      hash = Math.imul(hash ^ code, 0x01000193);
    }
    return ((hash ^ (hash >>> 16)) & RUN_END_MASK) === 0;
  }

  #record(key: string): string | undefined {
    if (this.#records.length === 0) return undefined;
    if (this.#records.length > 1) this.#records = [Buffer.concat(this.#records)];
    return paxValue(this.#records[0]!, key);
  }
}

/** Undefined for what is no header, or one that does not make sense. */
function headerIn(block: Buffer): UstarFields | undefined {
  if (block.readUInt32BE(MAGIC_AT) !== MAGIC) return undefined;
  try {
    const header = readUstarHeader(block);
    return header && Number.isSafeInteger(header.size) && header.size >= 0 ? header : undefined;
  } catch {
    return undefined;
  }
}
