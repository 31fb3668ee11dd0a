import { domainKey, idText } from '../chunk-id.js';
import type {
  Added,
  ChunkIndex,
  CollectedContainer,
  ContainerContent,
  Move,
} from './chunk-index.js';
import type { ChunkMap, Place } from './chunk-map.js';
import { changedCounts, movedCounts } from './count-change.js';

/** What a memory index holds: it outlives the index, as a disk does. */
export class MemoryIndexState {
  readonly places = new Map<string, Place>();
  readonly counts = new Map<string, Uint32Array>();
  readonly holders = new Set<string>();

  copy(): MemoryIndexState {
    const copy = new MemoryIndexState();
    for (const [key, place] of this.places) copy.places.set(key, place);
    for (const [container, counts] of this.counts) copy.counts.set(container, counts);
    for (const holder of this.holders) copy.holders.add(holder);
    return copy;
  }
}

/** An index in memory, for tests. */
export class MemoryChunkIndex implements ChunkIndex {
  constructor(private readonly state = new MemoryIndexState()) {}

  async lookup(domain: string, ids: readonly Buffer[]): Promise<(Place | undefined)[]> {
    return ids.map((id) => this.state.places.get(keyOf(domain, id)));
  }

  async add(
    content: ContainerContent,
    isLost: (place: Place, ordinal: number) => boolean = () => false,
  ): Promise<Added | undefined> {
    if (this.state.counts.has(content.id)) return undefined;
    const moves: Move[] = [];
    const places = content.ids.map((id, ordinal) => {
      const key = keyOf(content.domain, id);
      const from = this.state.places.get(key);
      if (from && !isLost(from, ordinal)) return from;
      const to = { container: content.id, ordinal };
      this.state.places.set(key, to);
      if (from) moves.push({ from, to });
      return to;
    });
    const before = new Map<string, Uint32Array>();
    for (const { from } of moves) {
      before.set(
        from.container,
        this.state.counts.get(from.container)?.slice() ?? new Uint32Array(),
      );
    }
    this.state.counts.set(content.id, movedCounts(content.ids.length, moves, before));
    for (const [id, left] of before) if (left.length > 0) this.state.counts.set(id, left);
    return { places, moves };
  }

  async counts(container: string): Promise<Uint32Array | undefined> {
    return this.state.counts.get(container);
  }

  async change(holder: string, to: 'held' | 'released', chunks: ChunkMap): Promise<void> {
    if (this.state.holders.has(holder) === (to === 'held')) return;
    const changed = [...chunks.containers()].map((container) => {
      const counts = this.state.counts.get(container);
      return [container, changedCounts(counts, { container, to, chunks })] as const;
    });
    for (const [container, counts] of changed) this.state.counts.set(container, counts);
    if (to === 'held') this.state.holders.add(holder);
    else this.state.holders.delete(holder);
  }

  async isHolder(holder: string): Promise<boolean> {
    return this.state.holders.has(holder);
  }

  async replace(
    gone: readonly ContainerContent[],
    collected: readonly CollectedContainer[],
  ): Promise<void> {
    const going = new Set(gone.map(({ id }) => id));
    for (const { id, domain, ids } of gone) {
      this.state.counts.delete(id);
      for (const chunk of ids) {
        const key = keyOf(domain, chunk);
        if (this.state.places.get(key)?.container === id) this.state.places.delete(key);
      }
    }
    for (const { id, domain, ids, counts } of collected) {
      this.state.counts.set(id, counts);
      ids.forEach((chunk, ordinal) => {
        const key = keyOf(domain, chunk);
        const before = this.state.places.get(key);
        if (before && !going.has(before.container)) return;
        this.state.places.set(key, { container: id, ordinal });
      });
    }
  }

  async *containers(): AsyncIterable<string> {
    yield* [...this.state.counts.keys()];
  }

  async *holders(): AsyncIterable<string> {
    yield* [...this.state.holders];
  }

  async close(): Promise<void> {}
}

function keyOf(domain: string, id: Buffer): string {
  return idText(Buffer.concat([domainKey(domain), id]));
}
