import { ContainerDamaged } from '../../errors.js';
import type { ContainerReader } from '../containers/container-reader.js';
import type { RecipeReader } from '../recipes/recipe-reader.js';
import type { ChunkReader, Located } from './chunk-reader.js';

/** What the frames of a piece hold comes to so much, or they are one. */
const UNPACKED_MAX = 4 * 1024 * 1024;

/** Chunks of a recipe that lie one behind the other in a frame: from byte `from` up to `to` of what it holds. */
export interface Run {
  readonly frame: number;
  readonly from: number;
  to: number;
}

/** Frames that lie one behind the other, from `first` up to `end`, and what of them is wanted, in its order. */
export interface Piece {
  readonly container: ContainerReader;
  readonly first: number;
  end: number;
  readonly runs: Run[];
}

/** All chunks of a recipe in order, in frames that are read at once. Throws where one is not where it should be. */
export async function* piecesOf(recipe: RecipeReader, reader: ChunkReader): AsyncGenerator<Piece> {
  for await (const chunks of recipe.chunks()) {
    let piece: Piece | undefined;
    for (const located of await reader.locate(chunks)) {
      // It is closed when others are opened, so whoever gets the piece reads it before the next one is made.
      const isIn = piece !== undefined && located.place?.container === piece.container.id;
      const container = isIn ? piece!.container : await containerOf(reader, located);
      const run = runOf(container, located);
      if (piece && isIn && extend(piece, run)) continue;
      if (piece) yield piece;
      piece = { container, first: run.frame, end: run.frame + 1, runs: [run] };
    }
    if (piece) yield piece;
  }
}

async function containerOf(reader: ChunkReader, { place }: Located): Promise<ContainerReader> {
  const container = place && (await reader.container(place));
  if (!container) throw new ContainerDamaged(place?.container ?? '-', 'is not there');
  return container;
}

function runOf({ id, table }: ContainerReader, { place, chunk }: Located): Run {
  const { ordinal } = place!;
  if (!table.isId(ordinal, chunk.id) || table.lengthOf(ordinal) !== chunk.length) {
    throw new ContainerDamaged(id, `has another chunk ${ordinal}`);
  }
  const from = table.offsetOf(ordinal);
  return { frame: table.frameOf(ordinal), from, to: from + chunk.length };
}

/** False where a run has to go into another piece. */
function extend(piece: Piece, run: Run): boolean {
  const { container, first, end } = piece;
  const last = piece.runs.at(-1)!;
  if (run.frame === last.frame && run.from === last.to) {
    last.to = run.to;
    return true;
  }
  if (run.frame < first || run.frame > end) return false;
  if (run.frame === end) {
    if (container.pieceFrom(first, end + 1) <= end) return false;
    if (container.bytesOf(first, end + 1) > UNPACKED_MAX) return false;
    piece.end = end + 1;
  }
  piece.runs.push(run);
  return true;
}
