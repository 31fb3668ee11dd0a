import { ContainerDamaged, FragmentDamaged, FragmentUnreadable } from '../../errors.js';
import { PieceBuffers } from '../containers/container-reader.js';
import type { RecipeReader } from '../recipes/recipe-reader.js';
import type { ChunkReader } from './chunk-reader.js';
import { DataHash } from './data-hash.js';
import { piecesOf, type Piece } from './frame-pieces.js';
import type { RawLayout } from './raw-layout.js';

/** Pieces that are read and unpacked ahead: each about 1 MiB as stored, 4 MiB unpacked. */
const PIECES_AHEAD = 2;

interface Buffers {
  readonly stored: PieceBuffers;
  readonly contents: PieceBuffers;
}

/** What a piece's frames hold, in order. */
interface Loaded {
  readonly piece: Piece;
  readonly stored: Buffer;
  readonly contents: readonly (readonly Buffer[])[];
}

/**
 * The digest (hex) of what a recipe's chunks make, frame by frame as they are stored. Nothing else is checked on
 * the way: data that have the digest which they should have are whole. Undefined where something could not be read.
 * @param of layout: undefined where the chunks are the data
 * @param onBytes hears of bytes of the data; what it throws ends it
 */
export async function digestOfData(
  of: { recipe: RecipeReader; reader: ChunkReader; layout: RawLayout | undefined },
  onBytes: (bytes: number) => void,
): Promise<string | undefined> {
  const buffers = { stored: new PieceBuffers(), contents: new PieceBuffers() };
  const hash = new DataHash(of.layout, onBytes);
  const ahead: Promise<Loaded>[] = [];
  const next = async () => {
    const loaded = await ahead.shift()!;
    hashPiece(loaded, hash);
    for (const memory of memoriesOf(loaded)) buffers.contents.giveBack(memory);
    buffers.stored.giveBack(loaded.stored);
  };
  try {
    for await (const piece of piecesOf(of.recipe, of.reader)) {
      const loading = load(piece, buffers);
      loading.catch(() => undefined);
      ahead.push(loading);
      if (ahead.length > PIECES_AHEAD) await next();
    }
    while (ahead.length > 0) await next();
    return hash.end();
  } catch (error) {
    if (isOfSource(error)) return undefined;
    throw error;
  } finally {
    await Promise.allSettled(ahead);
  }
}

async function load(piece: Piece, buffers: Buffers): Promise<Loaded> {
  const { container, first, end } = piece;
  const stored = await container.readPiece(first, end, buffers.stored);
  const contents = await container.contents(stored, [first, end], buffers.contents);
  return { piece, stored, contents };
}

function hashPiece({ piece, contents }: Loaded, hash: DataHash): void {
  for (const { frame, from, to } of piece.runs) {
    let at = 0;
    for (const part of contents[frame - piece.first]!) {
      const end = at + part.length;
      if (end > from && at < to) hash.add(part.subarray(Math.max(0, from - at), to - at));
      at = end;
    }
  }
}

/** What was unpacked lies in: frames that were unpacked at once share it. */
function memoriesOf({ stored, contents }: Loaded): Iterable<Buffer> {
  const memories = new Map(contents.flatMap(([part]) => (part ? [[part.buffer, part]] : [])));
  memories.delete(stored.buffer);
  return memories.values();
}

function isOfSource(error: unknown): boolean {
  const kinds = [ContainerDamaged, FragmentDamaged, FragmentUnreadable];
  return kinds.some((kind) => error instanceof kind);
}
