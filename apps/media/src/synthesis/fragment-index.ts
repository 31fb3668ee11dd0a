import { Blake3Hasher } from '@napi-rs/blake-hash';
import {
  FRAME_ARCHIVE_BYTES_MAX,
  frameTableBytes,
  type FrameRecord,
} from '#archive/frames/frame-table.js';
import { IndexDamage, IndexFrames } from '#archive/frames/index-frames.js';
import { decompress } from '#archive/frames/zstd.js';
import type { FragmentView } from '#contracts/image.js';
import { messageOf } from '#kernel/errors.js';
import { FragmentDamaged } from '#storage/errors.js';
import type { FromAnySource } from '../duplication/any-source.js';
import type { FragmentSource, SourceRange } from '../duplication/fragment-source.js';
import { readRange, tableOf } from '../duplication/normal-copy.js';
import { ImageDamaged, type DamagedPlace } from './image-damaged.js';

/** A piece of index that is asked for at once. */
const PIECE_BYTES = 256 * 1024;

/**
 * The index of a fragment, text by text of whole lines. A source gives its first piece when all of its index has the
 * digest that was committed, which is looked at once. Memory: a piece, and one frame of lines.
 * @throws ImageDamaged where what was committed is no index
 */
export async function* indexTexts(
  from: FromAnySource,
  { indexBytes, indexDigest, frames: count }: FragmentView,
  place: DamagedPlace,
): AsyncGenerator<string, void, undefined> {
  const checks = new Map<FragmentSource, Promise<void>>();
  const pieceOf = async (source: FragmentSource, range: SourceRange) => {
    const check = checks.get(source) ?? checkDigest(source, { indexBytes, indexDigest });
    checks.set(source, check);
    await check;
    return readRange(source, range);
  };
  const frames = new IndexFrames(frameTableBytes(count));
  try {
    for (const range of pieces(0, indexBytes)) {
      const piece = await from((source) => pieceOf(source, range));
      for (const stored of frames.push(piece)) yield await textOf(stored);
    }
    frames.end();
  } catch (error) {
    if (!(error instanceof IndexDamage)) throw error;
    throw new ImageDamaged(place, `its index is damaged: ${error.message}`);
  }
}

/** The frame table at the end of a fragment's index. */
export async function readFrameTable(source: FragmentSource): Promise<FrameRecord[]> {
  const { indexBytes, frames, archiveBytes, fragmentId } = source.manifest;
  const read: Buffer[] = [];
  for (const range of pieces(indexBytes - frameTableBytes(frames), indexBytes)) {
    read.push(await readRange(source, range));
  }
  const table = tableOf(fragmentId, Buffer.concat(read));
  const sum = table.reduce((bytes, frame) => bytes + frame.archiveBytes, 0);
  const isPossible = table.every((frame) => frame.archiveBytes <= FRAME_ARCHIVE_BYTES_MAX);
  if (sum === archiveBytes && isPossible) return table;
  throw new FragmentDamaged(fragmentId, 'has a frame table that is not that of its data');
}

async function textOf(stored: Buffer): Promise<string> {
  try {
    return (await decompress(stored)).toString('latin1');
  } catch (error) {
    throw new IndexDamage(messageOf(error), { cause: error });
  }
}

async function checkDigest(
  source: FragmentSource,
  { indexBytes, indexDigest }: Pick<FragmentView, 'indexBytes' | 'indexDigest'>,
): Promise<void> {
  const hash = new Blake3Hasher();
  for (const range of pieces(0, indexBytes)) hash.update(await readRange(source, range));
  if (hash.digest('hex') === indexDigest) return;
  const { fragmentId } = source.manifest;
  throw new FragmentDamaged(fragmentId, 'has an index with another digest than was committed');
}

function* pieces(begin: number, end: number): Generator<SourceRange> {
  for (let offset = begin; offset < end; offset += PIECE_BYTES) {
    yield { object: 'index', offset, length: Math.min(PIECE_BYTES, end - offset) };
  }
}
