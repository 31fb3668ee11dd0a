import { Blake3Hasher } from '@napi-rs/blake-hash';
import { blake3, DIGEST_BYTES } from '#kernel/blake3.js';
import type { FrameRecord } from '#archive/frames/frame-table.js';
import { encodeSeekTable } from '#archive/frames/seek-table.js';
import type { Manifest } from '#archive/manifest.js';
import type { FragmentWriter } from '#storage/fragment-store.js';
import { splitPieces, type Message } from '#transfer/message.js';
import {
  checkFrame,
  checkFrameTable,
  checkSeal,
  corruption,
  type CopyProgress,
  type SealClaim,
} from '../domain/write-rules.js';
import { OpenIndex, splitHead } from './open-index.js';

const FRAME_HEAD_BYTES = 4 + DIGEST_BYTES;
const ZSTANDARD_MAGIC = 0xfd2fb528;

/** What the content of a finished fragment adds to its manifest. */
export type ContentSummary = Pick<
  Manifest,
  'archiveBytes' | 'storedBytes' | 'digest' | 'indexBytes' | 'indexDigest' | 'frames'
>;

/**
 * The fragment that a session is writing. Every frame is checked against the BLAKE3 that the agent
 * computed before it is written; the next one is hashed while the last one is on its way to the
 * disk.
 */
export class OpenFragment {
  readonly frames: FrameRecord[] = [];
  storedBytes = 0;
  archiveBytes = 0;
  private readonly lines: OpenIndex;
  private readonly dataHash = new Blake3Hasher();
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly writer: FragmentWriter,
    private readonly fragmentBytesMax: number,
  ) {
    this.lines = new OpenIndex((pieces) => this.after(() => writer.writeIndex(pieces)));
  }

  get name(): FragmentWriter['name'] {
    return this.writer.name;
  }

  get indexBytes(): number {
    return this.lines.indexBytes;
  }

  /** Takes a FRAME message. `written` is called when its memory is the caller's again. */
  async frame(message: Message, written?: () => void): Promise<void> {
    const { head, rest } = splitHead(message, FRAME_HEAD_BYTES);
    await this.addFrame(
      {
        archiveBytes: head.readUInt32BE(0),
        digest: Buffer.from(head.subarray(4)),
        storedBytes: message.length - FRAME_HEAD_BYTES,
      },
      rest,
      written,
    );
  }

  /** Takes a frame that should have this digest. `written` is called when the pieces are the caller's again. */
  async addFrame(
    frame: FrameRecord,
    pieces: readonly Buffer[],
    written?: () => void,
  ): Promise<void> {
    const { archiveBytes, storedBytes, digest } = frame;
    checkFrame(this, frame, this.fragmentBytesMax);
    if (storedBytes < 4 || splitPieces(pieces, 4).head.readUInt32LE(0) !== ZSTANDARD_MAGIC) {
      throw corruption(`frame ${this.frames.length + 1} is not a Zstandard frame`);
    }
    for (const piece of pieces) this.dataHash.update(piece);
    if (!blake3(pieces).equals(digest)) {
      throw corruption(`frame ${this.frames.length + 1} came with another digest than it was sent`);
    }
    this.frames.push({ storedBytes, archiveBytes, digest });
    this.storedBytes += storedBytes;
    this.archiveBytes += archiveBytes;
    await this.after(async () => {
      await this.writer.writeData(pieces);
      written?.();
    });
  }

  /** Takes an INDEX message. */
  index(message: Message): Promise<void> {
    return this.lines.take(message);
  }

  /** Takes a piece of index that has been checked. */
  addIndex(block: Buffer): Promise<void> {
    return this.lines.add(block);
  }

  /** The whole index, if it is small enough to be sent with the commit. */
  get smallIndex(): Buffer | undefined {
    return this.lines.smallIndex;
  }

  /** Throws if a SEAL does not fit what was written. */
  check(copy: CopyProgress, claim: SealClaim): void {
    checkSeal(copy, this, claim);
    checkFrameTable(this.lines.table, this.frames);
  }

  /** Ends the data with its seek table and says what was written. */
  async complete(): Promise<ContentSummary> {
    const seekTable = encodeSeekTable(this.frames);
    this.dataHash.update(seekTable);
    await this.after(() => this.writer.writeData([seekTable]));
    await this.writing;
    return {
      archiveBytes: this.archiveBytes,
      storedBytes: this.writer.dataBytes,
      digest: this.dataHash.digest('hex'),
      indexBytes: this.indexBytes,
      indexDigest: this.lines.digest(),
      frames: this.frames.length,
    };
  }

  seal(manifest: Manifest): Promise<void> {
    return this.writer.seal(manifest);
  }

  /** Takes back what was written, as `FragmentWriter` does. */
  async discard(): Promise<boolean> {
    await this.settled();
    return this.writer.discard();
  }

  /** Resolves when nothing is on its way to the disk, whatever became of it. */
  async settled(): Promise<void> {
    await this.writing.catch(() => undefined);
  }

  /** Begins a write when the one before has ended; whose failure is thrown here. */
  private async after(write: () => Promise<void>): Promise<void> {
    await this.writing;
    this.writing = write();
    // Thrown by whoever awaits it next; until then it is nobody's.
    this.writing.catch(() => undefined);
  }
}
