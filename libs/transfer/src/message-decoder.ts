import { ProtocolError } from './errors.js';
import {
  isMessageType,
  MESSAGE_BYTES_MAX,
  MESSAGE_HEADER_BYTES,
  type Message,
  type MessageType,
} from './message.js';

/** A longer payload gets memory of its own little by little: a length alone must not make us hold that much. */
const PAYLOAD_BYTES_AT_ONCE = 1024 * 1024 + 64 * 1024;
/** What is read at once where no long payload is under way: some messages, or the beginning of one. */
const ROOM_BYTES = 64 * 1024;

/** Where the payload of a message goes; undefined: into memory of its own. Asked once for each message that has one. */
export type PlacePayload = (type: MessageType, length: number) => Buffer | undefined;

/**
 * Turns a stream, cut anywhere, into messages. What comes in chunks (`push`) is copied out of them, which are free
 * when `push` returns: else those that are under way would keep 64 KiB each from the garbage collector. Whoever can
 * read into memory that he is given (`room`, `took`) spares long payloads the copy.
 * What it holds is bounded by one message (`bytesMax`).
 */
export class MessageDecoder {
  private readonly header = Buffer.alloc(MESSAGE_HEADER_BYTES);
  private headerFilled = 0;
  private type: MessageType | undefined;
  private length = 0;
  private missing = 0;
  private pieces: Buffer[] = [];
  /** Of the last piece. */
  private filled = 0;
  private placed: Buffer | undefined;
  private ownRoom: Buffer | undefined;
  /** What `room` gave is a part of the payload. */
  private roomIsPayload = false;
  /** As long as the payload, or undefined. */
  place: PlacePayload = () => undefined;

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
        offset = this.take(chunk, offset);
      }
      if (this.missing === 0) this.deliver(deliver);
    }
  }

  /** Where the next bytes of the stream may be read into; `took` says how many were. */
  room(): Buffer {
    this.roomIsPayload = this.missing >= ROOM_BYTES;
    if (this.roomIsPayload) return this.openPiece().subarray(this.filled);
    return (this.ownRoom ??= Buffer.allocUnsafeSlow(ROOM_BYTES));
  }

  /** So many bytes lie now in what `room` gave last. As `push`. */
  took(bytes: number, deliver: (message: Message) => void): void {
    if (!this.roomIsPayload) return this.push(this.ownRoom!.subarray(0, bytes), deliver);
    this.filled += bytes;
    this.missing -= bytes;
    if (this.missing === 0) this.deliver(deliver);
  }

  private take(chunk: Buffer, offset: number): number {
    const copied = chunk.copy(this.openPiece(), this.filled, offset);
    this.filled += copied;
    this.missing -= copied;
    return offset + copied;
  }

  /** The piece of the payload that is not full. */
  private openPiece(): Buffer {
    const last = this.pieces.at(-1);
    if (last !== undefined && this.filled < last.length) return last;
    const piece =
      this.placed ?? Buffer.allocUnsafeSlow(Math.min(this.missing, PAYLOAD_BYTES_AT_ONCE));
    this.placed = undefined;
    this.pieces.push(piece);
    this.filled = 0;
    return piece;
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
    if (this.length > 0) this.placed = this.place(type, this.length);
    return offset + copied;
  }
}
