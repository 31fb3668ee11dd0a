import { freeBytes } from '#kernel/free-bytes.js';
import type { PlacePayload } from '#transfer/message-decoder.js';
import { MESSAGE, type MessageType } from '#transfer/message.js';

/** A frame that did not become smaller, with its head. */
const BYTES = 1024 * 1024 + 64 * 1024;
/** Shorter ones get memory of their own: what waits to be taken is counted by its payload. */
const WORTH_BYTES = BYTES / 2;
/** More are not kept for what comes next. */
const SPARE_MAX = 4;

/**
 * Where long frames of one session go that come from the network: memory that is used again. New memory for each is
 * 270 page faults: with large files that do not become smaller a seventh of a media server's CPU time (docs/performance.md).
 */
export class FrameMemory {
  private spare: Buffer[] = [];

  /** For `Connection.placePayloads`. */
  readonly place: PlacePayload = (type: MessageType, length: number) => {
    if (type !== MESSAGE.FRAME && type !== MESSAGE.CHUNKS) return undefined;
    if (length < WORTH_BYTES || length > BYTES) return undefined;
    const memory = this.spare.pop() ?? Buffer.allocUnsafeSlow(BYTES);
    return memory.subarray(0, length);
  };

  /** Takes the memory of a message that nobody looks at any more, wherever it lies. */
  giveBack(pieces: readonly Buffer[]): void {
    for (const piece of pieces) {
      const { buffer } = piece;
      const isOurs = buffer.byteLength === BYTES && this.spare.length < SPARE_MAX;
      if (isOurs) this.spare.push(Buffer.from(buffer));
      else freeBytes(piece);
    }
  }

  /** Gives back what is kept. */
  end(): void {
    this.spare.forEach(freeBytes);
    this.spare = [];
  }
}
