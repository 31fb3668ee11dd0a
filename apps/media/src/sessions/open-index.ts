import { Blake3Hasher } from '@napi-rs/blake-hash';
import { blake3, DIGEST_BYTES } from '#kernel/blake3.js';
import { decodeFrameTable, isFrameTable, type FrameRecord } from '#archive/frames/frame-table.js';
import { INDEX_SENT_BYTES_MAX } from '#contracts/fragment.js';
import { messageOf } from '#kernel/errors.js';
import { splitPieces, type Message } from '#transfer/message.js';
import { checkIndex, corruption, outOfSequence } from '../domain/write-rules.js';

/** The index of a fragment that a session is writing. */
export class OpenIndex {
  indexBytes = 0;
  /** If it ended the index so far: what was said of the frames. */
  table: FrameRecord[] | undefined;
  private readonly blocks: Buffer[] = [];
  private readonly hash = new Blake3Hasher();

  constructor(private readonly write: (pieces: readonly Buffer[]) => Promise<void>) {}

  /** Takes an INDEX message. */
  async take(message: Message): Promise<void> {
    const { head, rest } = splitHead(message, DIGEST_BYTES);
    checkIndex(this, message.length - DIGEST_BYTES);
    const block = Buffer.concat(rest);
    if (!blake3(block).equals(head)) throw corruption('a piece of index came changed');
    await this.add(block);
    this.table = isFrameTable(block) ? readTable(block) : undefined;
  }

  /** Takes a piece that has been checked. */
  async add(block: Buffer): Promise<void> {
    this.hash.update(block);
    this.indexBytes += block.length;
    if (this.indexBytes <= INDEX_SENT_BYTES_MAX) this.blocks.push(block);
    await this.write([block]);
  }

  /** All of it, if it is small enough to be sent with the commit. */
  get smallIndex(): Buffer | undefined {
    return this.indexBytes <= INDEX_SENT_BYTES_MAX ? Buffer.concat(this.blocks) : undefined;
  }

  /** BLAKE3 in hex. Nothing may follow. */
  digest(): string {
    return this.hash.digest('hex');
  }
}

/** Cuts the fixed fields off a payload that must have something behind them. */
export function splitHead(message: Message, headBytes: number): { head: Buffer; rest: Buffer[] } {
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
