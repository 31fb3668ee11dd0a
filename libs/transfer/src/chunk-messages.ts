import { CHUNK_BYTES_MAX, CHUNK_ID_BYTES } from '#archive/chunking/chunk-size.js';
import { DIGEST_BYTES } from '#kernel/blake3.js';
import { ProtocolError } from './errors.js';
import { messageName, payloadOf, splitPieces, type Message } from './message.js';

/** What is said of chunks: ASK, KNOWN, CHUNKS, RECIPE and GET (docs/formats.md, "Data port"). */

/** Ids in one ASK. */
export const IDS_PER_ASK_MAX = 4_096;
/** Names in one CHUNKS, RECIPE or GET. */
export const NAMES_PER_MESSAGE_MAX = 16_384;

const NAME_BYTES = CHUNK_ID_BYTES + 4;
const COUNT_BYTES = 4;
const FRAGMENT_ID_BYTES = 16;

/** A run of archive bytes: the BLAKE3 of it, and its length. */
export interface NamedChunk {
  readonly id: Buffer;
  readonly length: number;
}

/** A CHUNKS as it came in. `pieces` is the stored frame, as the socket delivered it. */
export interface SentChunks {
  readonly chunks: readonly NamedChunk[];
  readonly digest: Buffer;
  readonly pieces: readonly Buffer[];
}

export function encodeIds(ids: readonly Buffer[]): Buffer {
  return Buffer.concat(ids, ids.length * CHUNK_ID_BYTES);
}

/** The ids of an ASK. They share its memory. Throws `ProtocolError`. */
export function readIds(message: Message): Buffer[] {
  const count = message.length / CHUNK_ID_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > IDS_PER_ASK_MAX) {
    const allowed = `1 to ${IDS_PER_ASK_MAX} of ${CHUNK_ID_BYTES} bytes`;
    throw wrong(message, 'ids', `${message.length} bytes came, not ${allowed}`);
  }
  const ids = payloadOf(message);
  return Array.from({ length: count }, (_, n) =>
    ids.subarray(n * CHUNK_ID_BYTES, (n + 1) * CHUNK_ID_BYTES),
  );
}

/** A bit for each, the first one the least significant of the first byte. */
export function encodeKnown(known: readonly boolean[]): Buffer {
  const bits = Buffer.alloc(Math.ceil(known.length / 8));
  known.forEach((is, n) => {
    if (is) bits[n >> 3]! |= 1 << (n & 7);
  });
  return bits;
}

/** The answer to a question about `count` ids. Throws `ProtocolError`. */
export function readKnown(message: Message, count: number): boolean[] {
  if (message.length !== Math.ceil(count / 8)) {
    throw wrong(message, 'known', `${message.length} bytes came for ${count} ids`);
  }
  const bits = payloadOf(message);
  return Array.from({ length: count }, (_, n) => (bits[n >> 3]! & (1 << (n & 7))) !== 0);
}

/** The payload of a RECIPE. */
export function encodeNames(chunks: readonly NamedChunk[]): Buffer {
  const names = Buffer.allocUnsafe(chunks.length * NAME_BYTES);
  chunks.forEach(({ id, length }, n) => {
    id.copy(names, n * NAME_BYTES, 0, CHUNK_ID_BYTES);
    names.writeUInt32BE(length, n * NAME_BYTES + CHUNK_ID_BYTES);
  });
  return names;
}

/** The chunks of a RECIPE. Their ids share its memory. Throws `ProtocolError`. */
export function readRecipe(message: Message): NamedChunk[] {
  const count = message.length / NAME_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > NAMES_PER_MESSAGE_MAX) {
    const allowed = `1 to ${NAMES_PER_MESSAGE_MAX} of ${NAME_BYTES} bytes`;
    throw wrong(message, 'chunks', `${message.length} bytes came, not ${allowed}`);
  }
  return readNames(message, payloadOf(message));
}

/** What stands in front of the stored frame of a CHUNKS. */
export function chunksHead(chunks: readonly NamedChunk[], digest: Buffer): Buffer {
  const count = Buffer.allocUnsafe(COUNT_BYTES);
  count.writeUInt32BE(chunks.length);
  return Buffer.concat([count, encodeNames(chunks), digest]);
}

/** Reads a CHUNKS; that its frame has this digest is for others to check. Throws `ProtocolError`. */
export function readChunks(message: Message): SentChunks {
  const hasCount = message.length >= COUNT_BYTES;
  const count = hasCount ? splitPieces(message.pieces, COUNT_BYTES).head.readUInt32BE(0) : 0;
  if (count < 1 || count > NAMES_PER_MESSAGE_MAX) {
    throw wrong(message, 'count', `${count} is not 1 to ${NAMES_PER_MESSAGE_MAX}`);
  }
  const headBytes = COUNT_BYTES + count * NAME_BYTES + DIGEST_BYTES;
  if (message.length <= headBytes) {
    throw wrong(message, 'frame', `${message.length} bytes hold no frame of ${count} chunks`);
  }
  const { head, rest } = splitPieces(message.pieces, headBytes);
  // In memory of their own: that of the frame may be given back before them.
  const names = Buffer.from(head.subarray(COUNT_BYTES, headBytes - DIGEST_BYTES));
  const chunks = readNames(message, names);
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
  if (bytes > CHUNK_BYTES_MAX) {
    throw wrong(message, 'chunks', `they have ${bytes} bytes, ${CHUNK_BYTES_MAX} are allowed`);
  }
  return { chunks, digest: head.subarray(headBytes - DIGEST_BYTES), pieces: rest };
}

/** What a reader wants of a fragment's chunks. */
export interface WantedChunks {
  readonly fragmentId: string;
  /** A stored frame comes whole if this much of it, or more, is wanted: 1 to 100. Else only what is wanted. */
  readonly wholePercent: number;
  /** Of the fragment's recipe, 1 to 16,384. */
  readonly chunks: readonly NamedChunk[];
}

/** The payload of a GET. */
export function encodeGet({ fragmentId, wholePercent, chunks }: WantedChunks): Buffer {
  const id = Buffer.from(fragmentId.replaceAll('-', ''), 'hex');
  return Buffer.concat([id, Buffer.of(wholePercent), encodeNames(chunks)]);
}

/** Reads a GET. Throws `ProtocolError`. */
export function readGet(message: Message): WantedChunks {
  const headBytes = FRAGMENT_ID_BYTES + 1;
  const count = (message.length - headBytes) / NAME_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > NAMES_PER_MESSAGE_MAX) {
    const allowed = `1 to ${NAMES_PER_MESSAGE_MAX} of ${NAME_BYTES} bytes`;
    throw wrong(message, 'chunks', `${message.length - headBytes} bytes came, not ${allowed}`);
  }
  const payload = payloadOf(message);
  const wholePercent = payload[FRAGMENT_ID_BYTES]!;
  if (wholePercent < 1 || wholePercent > 100) {
    throw wrong(message, 'wholePercent', `${wholePercent} is not 1 to 100`);
  }
  const hex = payload.toString('hex', 0, FRAGMENT_ID_BYTES);
  const fragmentId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  return { fragmentId, wholePercent, chunks: readNames(message, payload.subarray(headBytes)) };
}

function readNames(message: Message, names: Buffer): NamedChunk[] {
  return Array.from({ length: names.length / NAME_BYTES }, (_, n) => {
    const at = n * NAME_BYTES;
    const length = names.readUInt32BE(at + CHUNK_ID_BYTES);
    if (length < 1 || length > CHUNK_BYTES_MAX) {
      throw wrong(message, 'length', `a chunk of ${length} bytes, not 1 to ${CHUNK_BYTES_MAX}`);
    }
    return { id: names.subarray(at, at + CHUNK_ID_BYTES), length };
  });
}

function wrong(message: Message, field: string, what: string): ProtocolError {
  return new ProtocolError(`The ${messageName(message.type)} is wrong at "${field}": ${what}.`);
}
