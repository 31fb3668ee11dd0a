/**
 * Messages of the data port (docs/formats.md, "Data port"): 4 bytes of length (big-endian, of what
 * follows), 1 byte of type, payload.
 */
export const MESSAGE = {
  HELLO: 1,
  READY: 2,
  FRAME: 3,
  INDEX: 4,
  SEAL: 5,
  SEALED: 6,
  FINISH: 7,
  DONE: 8,
  READ: 9,
  DATA: 10,
  END: 11,
  ERROR: 12,
  PING: 13,
  ASK: 14,
  KNOWN: 15,
  CHUNKS: 16,
  RECIPE: 17,
  GET: 18,
  PROOF: 19,
} as const;
export type MessageType = (typeof MESSAGE)[keyof typeof MESSAGE];

/** The most that one message may hold behind its length field. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** Length field and type. */
export const MESSAGE_HEADER_BYTES = 5;

/**
 * One message as it came in. Its pieces (one for up to a mebibyte) are the receiver's alone, who may give
 * their memory back with `freeBytes`, unless it was placed (`Connection.placePayloads`).
 */
export interface Message {
  readonly type: MessageType;
  /** Bytes of payload. */
  readonly length: number;
  readonly pieces: readonly Buffer[];
}

export function isMessageType(type: number): type is MessageType {
  return type >= MESSAGE.HELLO && type <= MESSAGE.PROOF;
}

/** The name of a message type, for texts. */
export function messageName(type: MessageType): string {
  return Object.keys(MESSAGE)[type - 1]!;
}

/** The header of a message whose payload has `payloadBytes`, with `extra` free bytes behind it. */
export function messageHeader(type: MessageType, payloadBytes: number, extra = 0): Buffer {
  if (payloadBytes + 1 > MESSAGE_BYTES_MAX) {
    throw new RangeError(`A ${messageName(type)} of ${payloadBytes} bytes is too long to send.`);
  }
  const header = Buffer.allocUnsafe(MESSAGE_HEADER_BYTES + extra);
  header.writeUInt32BE(payloadBytes + 1, 0);
  header[4] = type;
  return header;
}

/** The payload as one buffer: copied only when it came in more than one piece. */
export function payloadOf(message: Message): Buffer {
  return message.pieces.length === 1 ? message.pieces[0]! : Buffer.concat(message.pieces);
}

/** Cuts the first `bytes` off a payload, without copying the rest. The payload must be that long. */
export function splitPieces(
  pieces: readonly Buffer[],
  bytes: number,
): { head: Buffer; rest: Buffer[] } {
  const head: Buffer[] = [];
  const rest: Buffer[] = [];
  let missing = bytes;
  for (const piece of pieces) {
    if (missing > 0) head.push(piece.subarray(0, missing));
    if (piece.length > missing) rest.push(missing > 0 ? piece.subarray(missing) : piece);
    missing = Math.max(0, missing - piece.length);
  }
  if (missing > 0) throw new RangeError(`A payload is ${missing} bytes too short.`);
  return { head: head.length === 1 ? head[0]! : Buffer.concat(head), rest };
}
