import { freeBytes } from '#kernel/free-bytes.js';
import { Blake3Hasher } from '@napi-rs/blake-hash';
import { blake3 } from '#kernel/blake3.js';
import {
  FRAMES_MAX,
  decodeFrameTable,
  frameTableBytes,
  type FrameRecord,
} from '#archive/frames/frame-table.js';
import type { Manifest } from '#archive/manifest.js';
import { FragmentDamaged } from '#storage/errors.js';
import type { FragmentWriter } from '#storage/fragment-store.js';
import { OpenFragment } from '../sessions/open-fragment.js';
import type { FromAnySource } from './any-source.js';
import type { FragmentSource, SourceRange } from './fragment-source.js';

/** A piece of index that is written at once. */
const INDEX_PIECE_BYTES = 1024 * 1024;

/** An index that has been read and checked. */
export interface CheckedIndex {
  readonly manifest: Manifest;
  readonly frames: readonly FrameRecord[];
}

/** Reads a source's index. Throws `FragmentDamaged` if it or its frame table is not what it should be. */
export async function readIndex(source: FragmentSource): Promise<CheckedIndex> {
  const { manifest } = source;
  const { fragmentId, indexBytes, indexDigest } = manifest;
  const tableBytes = frameTableBytes(manifest.frames);
  if (manifest.frames > FRAMES_MAX || indexBytes < tableBytes) {
    throw new FragmentDamaged(fragmentId, 'has an index without its frame table');
  }
  const hash = new Blake3Hasher();
  const end: Buffer[] = [];
  for (const range of indexRanges(indexBytes)) {
    const piece = await readRange(source, range);
    hash.update(piece);
    if (range.offset + piece.length > indexBytes - tableBytes) end.push(piece);
  }
  if (hash.digest('hex') !== indexDigest) {
    throw new FragmentDamaged(fragmentId, 'has an index with another digest than was committed');
  }
  return { manifest, frames: tableOf(fragmentId, Buffer.concat(end).subarray(-tableBytes)) };
}

export interface NormalCopy {
  readonly writer: FragmentWriter;
  readonly from: FromAnySource;
  /** Hears of stored bytes. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Normal duplication of one fragment: its frames are read one by one, each checked against the frame
 * table and taken from whichever source has it whole, and written anew. What comes out is the same
 * fragment; a copy of which only some frames are damaged is still good for the others.
 */
export async function copyFrames(index: CheckedIndex, options: NormalCopy): Promise<void> {
  const fragment = new OpenFragment(options.writer, Number.MAX_SAFE_INTEGER);
  try {
    await copyInto(fragment, index, options);
  } finally {
    // Calls of a writer come one at a time, also where no source could be read.
    await fragment.settled();
  }
}

async function copyInto(
  fragment: OpenFragment,
  index: CheckedIndex,
  { from, onBytes }: NormalCopy,
): Promise<void> {
  let offset = 0;
  for (const [at, frame] of index.frames.entries()) {
    const range = { object: 'data', offset, length: frame.storedBytes } as const;
    const bytes = await from(async (source) => {
      const read = await readRange(source, range);
      if (blake3(read).equals(frame.digest)) return read;
      throw new FragmentDamaged(source.view.fragmentId, `has another frame ${at + 1}`);
    });
    await fragment.addFrame(frame, [bytes], () => freeBytes(bytes));
    offset += frame.storedBytes;
    onBytes(bytes.length);
  }
  for (const range of indexRanges(index.manifest.indexBytes)) {
    await fragment.addIndex(await from((source) => readRange(source, range)));
  }
  const written = await fragment.complete();
  for (const key of Object.keys(written) as (keyof typeof written)[]) {
    if (written[key] === index.manifest[key]) continue;
    throw new FragmentDamaged(index.manifest.fragmentId, `has another ${key} than its frames make`);
  }
}

function* indexRanges(bytes: number): Generator<SourceRange> {
  for (let offset = 0; offset < bytes; offset += INDEX_PIECE_BYTES) {
    yield { object: 'index', offset, length: Math.min(INDEX_PIECE_BYTES, bytes - offset) };
  }
}

/** The whole range, in memory that is the caller's alone. @throws FragmentDamaged if fewer or more bytes come */
export async function readRange(
  source: FragmentSource,
  range: SourceRange,
): Promise<Buffer<ArrayBuffer>> {
  const whole = Buffer.allocUnsafeSlow(range.length);
  let at = 0;
  for await (const piece of source.read(range, whole)) {
    if (piece.buffer !== whole.buffer) piece.copy(whole, at);
    at += piece.length;
  }
  if (at === range.length) return whole;
  throw new FragmentDamaged(source.view.fragmentId, `gave ${at} bytes instead of ${range.length}`);
}

export function tableOf(fragmentId: string, table: Buffer): FrameRecord[] {
  try {
    return decodeFrameTable(table);
  } catch {
    throw new FragmentDamaged(fragmentId, 'has an index without its frame table');
  }
}
