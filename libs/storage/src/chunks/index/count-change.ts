import type { Move } from './chunk-index.js';
import type { ChunkMap } from './chunk-map.js';

/** The counts of one container after a change. Throws where law 4 of the index forbids it. */
export function changedCounts(
  counts: Uint32Array | undefined,
  change: { container: string; to: 'held' | 'released'; chunks: ChunkMap },
): Uint32Array {
  const { container, to, chunks } = change;
  if (!counts) throw new Error(`Container ${container} is not in the index`);
  const changed = Uint32Array.from(counts);
  for (const ordinal of chunks.ordinals(container)) {
    const before = counts[ordinal];
    if (before === undefined) throw new Error(`Container ${container} has no chunk ${ordinal}`);
    if (to === 'released' && before === 0) {
      throw new Error(`Chunk ${ordinal} of container ${container} is released once too often`);
    }
    changed[ordinal] = to === 'held' ? before + 1 : before - 1;
  }
  return changed;
}

/** The counts of a container into which chunks have moved; takes them away from where they were. */
export function movedCounts(
  chunks: number,
  moves: readonly Move[],
  before: ReadonlyMap<string, Uint32Array>,
): Uint32Array {
  const counts = new Uint32Array(chunks);
  for (const { from, to } of moves) {
    const old = before.get(from.container);
    counts[to.ordinal] = old?.[from.ordinal] ?? 0;
    if (old && from.ordinal < old.length) old[from.ordinal] = 0;
  }
  return counts;
}
