import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash';
import { decodeFrameTable, isFrameTable, type FrameRecord } from '#archive/frames/frame-table.js';
import type { Manifest } from '#archive/manifest.js';
import { encodeSeekTable } from '#archive/frames/seek-table.js';
import { INDEX_SENT_BYTES_MAX } from '#contracts/fragment.js';
import { messageOf } from '#kernel/errors.js';
import { freeBytes } from '#kernel/free-bytes.js';
import type { FragmentWriter } from '#storage/fragment-store.js';
import { splitPieces, type Message } from '#transfer/message.js';
import {
  checkFrame,
  checkFrameTable,
  checkIndex,
  checkSeal,
  corruption,
  outOfSequence,
  type CopyProgress,
  type SealClaim,
} from '../domain/write-rules.js';

const DIGEST_BYTES = 32;
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
  indexBytes = 0;
  private readonly indexBlocks: Buffer[] = [];
  private readonly dataHash = new Blake3Hasher();
  private readonly indexHash = new Blake3Hasher();
  private table: FrameRecord[] | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly writer: FragmentWriter,
    private readonly fragmentBytesMax: number,
  ) {}

  get name(): FragmentWriter['name'] {
    return this.writer.name;
  }

  /** Takes a FRAME message. */
  async frame(message: Message): Promise<void> {
    const { head, rest } = split(message, FRAME_HEAD_BYTES);
    await this.addFrame(
      {
        archiveBytes: head.readUInt32BE(0),
        digest: Buffer.from(head.subarray(4)),
        storedBytes: message.length - FRAME_HEAD_BYTES,
      },
      rest,
      () => message.pieces.forEach(freeBytes),
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
    const hash = new Blake3Hasher();
    for (const piece of pieces) {
      hash.update(piece);
      this.dataHash.update(piece);
    }
    if (!hash.digestBuffer().equals(digest)) {
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
  async index(message: Message): Promise<void> {
    const { head, rest } = split(message, DIGEST_BYTES);
    checkIndex(this, message.length - DIGEST_BYTES);
    const block = Buffer.concat(rest);
    if (!blake3(block).equals(head)) throw corruption('a piece of index came changed');
    await this.addIndex(block);
    this.table = isFrameTable(block) ? readTable(block) : undefined;
  }

  /** Takes a piece of index that has been checked. */
  async addIndex(block: Buffer): Promise<void> {
    this.indexHash.update(block);
    this.indexBytes += block.length;
    if (this.indexBytes <= INDEX_SENT_BYTES_MAX) this.indexBlocks.push(block);
    await this.after(() => this.writer.writeIndex([block]));
  }

  /** The whole index, if it is small enough to be sent with the commit. */
  get smallIndex(): Buffer | undefined {
    return this.indexBytes <= INDEX_SENT_BYTES_MAX ? Buffer.concat(this.indexBlocks) : undefined;
  }

  /** Throws if a SEAL does not fit what was written. */
  check(copy: CopyProgress, claim: SealClaim): void {
    checkSeal(copy, this, claim);
    checkFrameTable(this.table, this.frames);
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
      indexDigest: this.indexHash.digest('hex'),
      frames: this.frames.length,
    };
  }

  seal(manifest: Manifest): Promise<void> {
    return this.writer.seal(manifest);
  }

  /** Leaves what was written where it is. */
  async abandon(): Promise<void> {
    await this.writing.catch(() => undefined);
    await this.writer.abandon();
  }

  /** Begins a write when the one before has ended; whose failure is thrown here. */
  private async after(write: () => Promise<void>): Promise<void> {
    await this.writing;
    this.writing = write();
    // Thrown by whoever awaits it next; until then it is nobody's.
    this.writing.catch(() => undefined);
  }
}

function split(message: Message, headBytes: number): { head: Buffer; rest: Buffer[] } {
  if (message.length <= headBytes) throw outOfSequence('a frame or index without content came');
  return splitPieces(message.pieces, headBytes);
}

function readTable(block: Buffer): FrameRecord[] {
  try {
    return decodeFrameTable(block);
  } catch (error) {
    throw corruption(messageOf(error));
  }
}
