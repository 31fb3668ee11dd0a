import { blake3 } from '#kernel/blake3.js';
import { compress } from '#archive/frames/zstd.js';
import type { EncodedFrame } from '#archive/frames/frame-encoder.js';
import {
  FRAME_ARCHIVE_BYTES_MAX,
  encodeFrameTable,
  type FrameRecord,
} from '#archive/frames/frame-table.js';
import { INDEX_FRAME_BYTES_MAX } from '#archive/index-line.js';
import type { Manifest } from '#archive/manifest.js';
import { freeBytes } from '#kernel/free-bytes.js';
import type { ResumePoint } from '#contracts/task.js';
import type { FragmentName } from '#storage/fragment-name.js';
import { fragmentBytesMaxAt } from '#transfer/fragment-bytes.js';
import { hasRoomForFrame } from '../domain/fragment-room.js';
import { outOfSequence } from '../domain/write-rules.js';
import type { ContentSummary } from '../sessions/open-fragment.js';

/** Frames that are compressed side by side. */
const FRAMES_AT_ONCE = 4;
const INDEX_LEVEL = 3;

/** A fragment of a synthetic full while it is written. Calls come one at a time. */
export interface SyntheticFragment {
  readonly name: FragmentName;
  readonly frames: readonly FrameRecord[];
  readonly storedBytes: number;
  readonly archiveBytes: number;
  /** The whole index, if it is small enough to be sent with the commit. */
  readonly smallIndex: Buffer | undefined;
  /** Takes a frame with its digest. The pieces are the fragment's from then on. */
  addFrame(frame: FrameRecord, pieces: readonly Buffer[]): Promise<void>;
  addIndex(block: Buffer): Promise<void>;
  /** Ends the data and says what was written. */
  complete(): Promise<ContentSummary>;
  seal(manifest: Manifest): Promise<void>;
  /** Takes back what was written, as `FragmentWriter` does. */
  discard(): Promise<boolean>;
}

/** Where the fragments of a synthetic full go. */
export interface SyntheticFragments {
  /** The next fragment, in the journal before its first byte. */
  open(number: number, archiveOffset: number): Promise<SyntheticFragment>;
  /** Makes a fragment safe and offers it; the last one when the totals are known, which is not here. */
  seal(fragment: SyntheticFragment, claim: { archiveOffset: number; last: boolean }): Promise<void>;
}

/** Makes the frames of an archive. */
export interface FrameCoder {
  encode(data: Buffer): Promise<EncodedFrame>;
  /** Frames may also be taken as they are stored elsewhere, compressed and of any size. */
  readonly takesStored: boolean;
}

interface CodedFrame {
  readonly pieces: readonly Buffer[];
  readonly record: FrameRecord;
}

/** A line of index that waits for the fragment in which its entry begins. */
interface WaitingLine {
  readonly offset: number;
  readonly text: string;
}

/**
 * An archive that is written from its beginning, cut into frames and fragments. In front of the place where an
 * attempt goes on nothing is written: that is committed, and what would come there is passed over. Calls come
 * one at a time.
 */
export class SyntheticArchive {
  /** The next byte of the archive. */
  position = 0;
  /** Of the image so far, those of earlier attempts included. */
  storedBytes: number;
  private number: number;
  private fragment: SyntheticFragment | undefined;
  private fragmentOffset: number;
  private readonly from: number;
  private buffer = Buffer.allocUnsafeSlow(FRAME_ARCHIVE_BYTES_MAX);
  private used = 0;
  private coding: Promise<CodedFrame>[] = [];
  private lines: WaitingLine[] = [];
  private text: string[] = [];
  private textBytes = 0;
  private isFull = false;

  constructor(
    private readonly options: {
      readonly resume: ResumePoint;
      readonly fragmentBytesMax: number;
      readonly coder: FrameCoder;
      readonly target: SyntheticFragments;
    },
  ) {
    const { nextNumber, archiveOffset, storedBytes = 0 } = options.resume;
    this.number = nextNumber;
    this.storedBytes = storedBytes;
    this.from = archiveOffset;
    this.fragmentOffset = archiveOffset;
  }

  /** Fragments of the image so far, those of earlier attempts included. */
  get fragments(): number {
    return this.number - 1;
  }

  /** Whole frames that are stored elsewhere may come next as they are, behind an `endFrame`. */
  get takesStored(): boolean {
    return this.options.coder.takesStored;
  }

  /** Nothing stands in the open frame. */
  get isAtFrame(): boolean {
    return this.used === 0 && this.position >= this.from;
  }

  /** How much of what comes next is there already, at most `bytes`; passes over it. */
  passOver(bytes: number): number {
    const passed = Math.max(0, Math.min(bytes, this.from - this.position));
    this.position += passed;
    return passed;
  }

  /** The line, with its newline, of the entry that begins at `offset`: before its bytes. */
  line(offset: number, text: string): void {
    if (offset >= this.from) this.lines.push({ offset, text });
  }

  async write(bytes: Buffer): Promise<void> {
    for (let at = this.passOver(bytes.length); at < bytes.length;) {
      const length = Math.min(bytes.length - at, this.buffer.length - this.used);
      bytes.copy(this.buffer, this.used, at, at + length);
      at += length;
      this.used += length;
      this.position += length;
      if (this.used === this.buffer.length) await this.endFrame();
    }
  }

  /** Ends the open frame, however little it holds. */
  async endFrame(): Promise<void> {
    if (this.used === 0) return;
    const data = this.buffer.subarray(0, this.used);
    this.buffer = Buffer.allocUnsafeSlow(FRAME_ARCHIVE_BYTES_MAX);
    this.used = 0;
    await this.add(
      this.options.coder.encode(data).then(({ pieces, bytes, sharesData }) => {
        const record = { storedBytes: bytes, archiveBytes: data.length };
        if (!sharesData) freeBytes(data);
        return { pieces, record: { ...record, digest: blake3(pieces) } };
      }),
    );
  }

  /** Takes a whole frame as it is stored elsewhere. Call it where `isAtFrame`, if it `takesStored`. */
  async frame(bytes: Buffer, record: FrameRecord): Promise<void> {
    this.position += record.archiveBytes;
    await this.add(Promise.resolve({ pieces: [bytes], record }));
  }

  /** Ends the archive and its last fragment. Where earlier attempts have come so far it does nothing. */
  async end(): Promise<void> {
    if (this.position < this.from)
      throw outOfSequence(`the archive ends in front of byte ${this.from}`);
    await this.endFrame();
    while (this.coding.length > 0) await this.take();
    if (this.fragment) await this.cut(true);
  }

  private async add(frame: Promise<CodedFrame>): Promise<void> {
    frame.catch(() => undefined); // It is awaited in its turn.
    this.coding.push(frame);
    while (this.coding.length >= FRAMES_AT_ONCE) await this.take();
  }

  private async take(): Promise<void> {
    const { pieces, record } = await this.coding[0]!;
    this.coding.shift();
    if (this.isFull) await this.cut(false);
    this.fragment ??= await this.options.target.open(this.number, this.fragmentOffset);
    const { fragment } = this;
    await fragment.addFrame(record, pieces);
    this.storedBytes += record.storedBytes;
    await this.takeLines(this.fragmentOffset + fragment.archiveBytes);
    this.isFull = !hasRoomForFrame(
      { storedBytes: fragment.storedBytes, frames: fragment.frames.length },
      fragmentBytesMaxAt(this.number, this.options.fragmentBytesMax),
    );
  }

  /** Lines of the entries that begin in front of `end` belong to the open fragment. */
  private async takeLines(end: number): Promise<void> {
    let taken = 0;
    for (const { offset, text } of this.lines) {
      if (offset >= end) break;
      if (this.textBytes + text.length > INDEX_FRAME_BYTES_MAX) await this.flushText();
      this.text.push(text);
      this.textBytes += text.length;
      taken += 1;
    }
    if (taken > 0) this.lines = this.lines.slice(taken);
  }

  private async flushText(): Promise<void> {
    if (this.textBytes === 0) return;
    const text = Buffer.from(this.text.join(''), 'latin1');
    this.text = [];
    this.textBytes = 0;
    await this.fragment!.addIndex(await compress(text, INDEX_LEVEL));
  }

  private async cut(last: boolean): Promise<void> {
    const fragment = this.fragment!;
    await this.flushText();
    await fragment.addIndex(encodeFrameTable(fragment.frames));
    await this.options.target.seal(fragment, { archiveOffset: this.fragmentOffset, last });
    this.fragmentOffset += fragment.archiveBytes;
    this.number += 1;
    this.fragment = undefined;
    this.isFull = false;
  }
}
