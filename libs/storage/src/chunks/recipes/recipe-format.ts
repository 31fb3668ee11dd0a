import { CHUNK_BYTES_MAX } from '#archive/chunking/chunk-size.js';
import { blake3, DIGEST_BYTES } from '#kernel/blake3.js';
import type { ChunkEntry } from '../../chunk-intake.js';
import { isFrameBytes } from '../fragments/raw-layout.js';

/**
 * A recipe is the chunks that a fragment's data are made of, in their order: Zstandard frames of text
 * (a line with its domain and how in front, then one line a chunk: id in hex, tab, length) and behind
 * them a table of the frames, which is a skippable frame. `zstd -dc` shows all the text.
 */
export const CHUNKS_PER_RECIPE_FRAME = 4_096;
export const RECIPE_FRAMES_MAX = 65_536;

const TABLE_MAGIC = 0x184d2a5c;
const SKIP_HEADER_BYTES = 8;
const ENTRY_BYTES = 16 + DIGEST_BYTES;
/** Frames (4), magic (4), BLAKE3 of the entries and of these eight bytes. */
export const RECIPE_FOOTER_BYTES = 8 + DIGEST_BYTES;
const FOOTER_MAGIC = 0x48465231;
const HEAD = 'holdfast recipe 1';
const LINE = /^([0-9a-f]{64})\t([1-9]\d{0,6})$/;

/** The first frame holds the head and no chunks. */
export interface RecipeFrame {
  readonly storedBytes: number;
  readonly chunks: number;
  /** Of its chunks. */
  readonly bytes: number;
  /** BLAKE3 of the stored frame. */
  readonly digest: Buffer;
}

/** How a recipe's chunks make a fragment's data, and whose chunks they are. */
export interface RecipeHead {
  readonly domain: string;
  /**
   * Archive bytes of a frame: the chunks are archive bytes, and the data these in raw frames with a seek
   * table. Undefined: the chunks are the data.
   */
  readonly frameBytes?: number | undefined;
}

export function recipeHead({ domain, frameBytes }: RecipeHead): string {
  return `${HEAD}\t${domain}\t${frameBytes ?? '-'}\n`;
}

/** Reads a head; undefined if it is none. */
export function parseHead(text: string): RecipeHead | undefined {
  const [name, domain = '', frame = '', more] = text.trimEnd().split('\t');
  if (name !== HEAD || more !== undefined || !text.endsWith('\n')) return undefined;
  if (frame === '-') return { domain };
  const frameBytes = Number(frame);
  return isFrameBytes(frameBytes) ? { domain, frameBytes } : undefined;
}

export function recipeLine({ id, length }: ChunkEntry): string {
  return `${id.toString('hex')}\t${length}\n`;
}

/** The chunks of a frame's text; undefined if a line is none. */
export function parseLines(text: string): ChunkEntry[] | undefined {
  const lines = text.split('\n');
  if (lines.pop() !== '') return undefined;
  const chunks: ChunkEntry[] = [];
  for (const line of lines) {
    const [, id, length] = LINE.exec(line) ?? [];
    if (id === undefined || Number(length) > CHUNK_BYTES_MAX) return undefined;
    chunks.push({ id: Buffer.from(id, 'hex'), length: Number(length) });
  }
  return chunks;
}

export function encodeRecipeTable(frames: readonly RecipeFrame[]): Buffer {
  const table = Buffer.alloc(tableBytes(frames.length));
  let at = table.writeUInt32LE(TABLE_MAGIC, 0);
  at = table.writeUInt32LE(table.length - SKIP_HEADER_BYTES, at);
  for (const { storedBytes, chunks, bytes, digest } of frames) {
    at = table.writeUInt32LE(storedBytes, at);
    at = table.writeUInt32LE(chunks, at);
    at = table.writeBigUInt64LE(BigInt(bytes), at);
    at += digest.copy(table, at);
  }
  at = table.writeUInt32LE(frames.length, at);
  at = table.writeUInt32LE(FOOTER_MAGIC, at);
  blake3(table.subarray(SKIP_HEADER_BYTES, at)).copy(table, at);
  return table;
}

/** Bytes of the table that this footer ends; undefined if it is no footer. */
export function recipeTableBytes(footer: Buffer): number | undefined {
  const isFooter = footer.length === RECIPE_FOOTER_BYTES && footer.readUInt32LE(4) === FOOTER_MAGIC;
  const frames = isFooter ? footer.readUInt32LE(0) : 0;
  return frames >= 1 && frames <= RECIPE_FRAMES_MAX ? tableBytes(frames) : undefined;
}

/** Reads a whole table; undefined if it is not what was written. */
export function decodeRecipeTable(table: Buffer): RecipeFrame[] | undefined {
  const end = table.length - RECIPE_FOOTER_BYTES;
  const whole =
    table.readUInt32LE(0) === TABLE_MAGIC &&
    table.readUInt32LE(4) === table.length - SKIP_HEADER_BYTES &&
    blake3(table.subarray(SKIP_HEADER_BYTES, end + 8)).equals(table.subarray(end + 8));
  if (!whole) return undefined;
  const frames: RecipeFrame[] = [];
  for (let at = SKIP_HEADER_BYTES; at < end; at += ENTRY_BYTES) {
    frames.push({
      storedBytes: table.readUInt32LE(at),
      chunks: table.readUInt32LE(at + 4),
      bytes: Number(table.readBigUInt64LE(at + 8)),
      digest: Buffer.from(table.subarray(at + 16, at + ENTRY_BYTES)),
    });
  }
  return frames;
}

function tableBytes(frames: number): number {
  return SKIP_HEADER_BYTES + frames * ENTRY_BYTES + RECIPE_FOOTER_BYTES;
}
