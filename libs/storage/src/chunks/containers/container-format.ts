import { CHUNK_BYTES_MAX, CHUNK_ID_BYTES } from '#archive/chunking/chunk-size.js';
import { blake3 } from '#kernel/blake3.js';
import type { ChunkEntry } from '../../chunk-intake.js';
import { CHUNK_ENTRY_BYTES, ContainerTable, FRAME_ENTRY_BYTES } from './container-table.js';

/** Bytes after which a container is closed and another one begun. */
export const CONTAINER_BYTES_MAX = 64 * 1024 * 1024;
export const CONTAINER_CHUNKS_MAX = 16_384;
/** Of what one frame holds: one chunk, or several small ones. */
export const FRAME_BYTES_MAX = CHUNK_BYTES_MAX;
/** Of a stored frame: what Zstandard may add to bytes that cannot be compressed is far less. */
export const STORED_FRAME_BYTES_MAX = FRAME_BYTES_MAX + 64 * 1024;

const HEAD_MAGIC = 0x184d2a50;
const TABLE_MAGIC = 0x184d2a5b;
const SKIP_HEADER_BYTES = 8;
/** Frames, chunks, bytes of the head, BLAKE3 of head and table, magic. */
export const FOOTER_BYTES = 48;
const FOOTER_MAGIC = 0x48464331;
export const HEAD_BYTES_MAX = 512;

/** A container's id: 16 hexadecimal digits of chance, so that none is ever used again. */
export const CONTAINER_ID = /^[0-9a-f]{16}$/;

export interface FrameEntry {
  readonly storedBytes: number;
  /** BLAKE3 of the stored frame. */
  readonly digest: Buffer;
  readonly chunks: readonly ChunkEntry[];
}

export interface ContainerHead {
  readonly id: string;
  readonly domain: string;
}

/** What stands in front of the frames: a skippable Zstandard frame that holds one line of text. */
export function encodeHead(head: ContainerHead): Buffer {
  return skippable(HEAD_MAGIC, Buffer.from(`holdfast chunks 1\t${head.id}\t${head.domain}\n`));
}

/** Reads a head; undefined if it is none. */
export function decodeHead(bytes: Buffer): ContainerHead | undefined {
  const payload = skippablePayload(bytes, HEAD_MAGIC);
  const [name, id, domain, more] = payload?.toString('utf8').trimEnd().split('\t') ?? [];
  const known = name === 'holdfast chunks 1' && id !== undefined && domain !== undefined;
  return known && more === undefined ? { id, domain } : undefined;
}

/** What stands behind the frames: a skippable Zstandard frame with the table and a fixed footer. */
export function encodeTable(head: Buffer, frames: readonly FrameEntry[]): Buffer {
  const chunks = frames.reduce((sum, frame) => sum + frame.chunks.length, 0);
  const payload = Buffer.alloc(tablePayloadBytes(frames.length, chunks));
  let at = 0;
  for (const frame of frames) {
    payload.writeUInt32LE(frame.storedBytes, at);
    payload.writeUInt32LE(frame.chunks.length, at + 4);
    frame.digest.copy(payload, at + 8);
    at += FRAME_ENTRY_BYTES;
  }
  for (const { id, length } of frames.flatMap((frame) => frame.chunks)) {
    id.copy(payload, at);
    payload.writeUInt32LE(length, at + CHUNK_ID_BYTES);
    at += CHUNK_ENTRY_BYTES;
  }
  payload.writeUInt32LE(frames.length, at);
  payload.writeUInt32LE(chunks, at + 4);
  payload.writeUInt32LE(head.length, at + 8);
  blake3(Buffer.concat([head, payload.subarray(0, at + 12)])).copy(payload, at + 12);
  payload.writeUInt32LE(FOOTER_MAGIC, at + 44);
  return skippable(TABLE_MAGIC, payload);
}

export interface Footer {
  readonly frames: number;
  readonly chunks: number;
  readonly headBytes: number;
  /** Of the whole table, its own header and this footer included. */
  readonly tableBytes: number;
}

/** Reads the last `FOOTER_BYTES` of a container; undefined if they are no footer. */
export function decodeFooter(bytes: Buffer): Footer | undefined {
  if (bytes.length !== FOOTER_BYTES || bytes.readUInt32LE(44) !== FOOTER_MAGIC) return undefined;
  const [frames, chunks] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
  const headBytes = bytes.readUInt32LE(8);
  const fits = frames <= chunks && chunks <= CONTAINER_CHUNKS_MAX && headBytes <= HEAD_BYTES_MAX;
  const tableBytes = SKIP_HEADER_BYTES + tablePayloadBytes(frames, chunks);
  return fits ? { frames, chunks, headBytes, tableBytes } : undefined;
}

/** Reads a whole table, as the footer has measured it; undefined if it is not what was written. */
export function decodeTable(
  head: Buffer,
  table: Buffer,
  footer: Footer,
): ContainerTable | undefined {
  const payload = skippablePayload(table, TABLE_MAGIC);
  if (!payload || table.length !== footer.tableBytes) return undefined;
  const end = payload.length - FOOTER_BYTES;
  const digest = blake3(Buffer.concat([head, payload.subarray(0, end + 12)]));
  if (!digest.equals(payload.subarray(end + 12, end + 44))) return undefined;
  return ContainerTable.read(payload.subarray(0, end), footer.frames, footer.chunks);
}

function tablePayloadBytes(frames: number, chunks: number): number {
  return frames * FRAME_ENTRY_BYTES + chunks * CHUNK_ENTRY_BYTES + FOOTER_BYTES;
}

function skippable(magic: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(SKIP_HEADER_BYTES);
  header.writeUInt32LE(magic, 0);
  header.writeUInt32LE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

function skippablePayload(bytes: Buffer, magic: number): Buffer | undefined {
  const whole =
    bytes.length >= SKIP_HEADER_BYTES &&
    bytes.readUInt32LE(0) === magic &&
    bytes.readUInt32LE(4) === bytes.length - SKIP_HEADER_BYTES;
  return whole ? bytes.subarray(SKIP_HEADER_BYTES) : undefined;
}
