import { ProtocolError } from './errors.js';
import {
  isMessageType,
  MESSAGE_BYTES_MAX,
  MESSAGE_HEADER_BYTES,
  type Message,
  type MessageType,
} from './message.js';

/**
 * Turns a stream of chunks, cut anywhere, into messages. It keeps references to the chunks and
 * copies nothing but headers that a chunk's end cut in two. What it holds is bounded by one message
 * (`bytesMax`) and one chunk.
 */
export class MessageDecoder {
  private readonly header = Buffer.alloc(MESSAGE_HEADER_BYTES);
  private headerFilled = 0;
  private type: MessageType | undefined;
  private length = 0;
  private missing = 0;
  private pieces: Buffer[] = [];

  /** @param bytesMax The longest message that is accepted; may be raised later. */
  constructor(public bytesMax = MESSAGE_BYTES_MAX) {}

  /** True between two messages: the stream may end here. */
  get isBetweenMessages(): boolean {
    return this.type === undefined && this.headerFilled === 0;
  }

  /** Calls `deliver` for every message that this chunk completes. Throws `ProtocolError`. */
  push(chunk: Buffer, deliver: (message: Message) => void): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.type === undefined) {
        offset = this.readHeader(chunk, offset);
        if (this.type === undefined) return;
      } else {
        const end = Math.min(chunk.length, offset + this.missing);
        this.pieces.push(chunk.subarray(offset, end));
        this.missing -= end - offset;
        offset = end;
      }
      if (this.missing === 0) this.deliver(deliver);
    }
  }

  private deliver(deliver: (message: Message) => void): void {
    const message = { type: this.type!, length: this.length, pieces: this.pieces };
    this.type = undefined;
    this.headerFilled = 0;
    this.pieces = [];
    deliver(message);
  }

  private readHeader(chunk: Buffer, offset: number): number {
    const copied = chunk.copy(this.header, this.headerFilled, offset);
    this.headerFilled += copied;
    if (this.headerFilled < MESSAGE_HEADER_BYTES) return offset + copied;
    const length = this.header.readUInt32BE(0);
    const type = this.header[4]!;
    if (length < 1 || length > this.bytesMax) {
      throw new ProtocolError(
        `A message of ${length} bytes came; 1 to ${this.bytesMax} are allowed.`,
      );
    }
    if (!isMessageType(type)) throw new ProtocolError(`A message of unknown type ${type} came.`);
    this.type = type;
    this.length = length - 1;
    this.missing = this.length;
    return offset + copied;
  }
}
