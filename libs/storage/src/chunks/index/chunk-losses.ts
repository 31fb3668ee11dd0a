import type { Place } from './chunk-map.js';

/**
 * Chunks of which a read, or a look over a container, has found that they are lost where they lie. In
 * memory: whatever is forgotten is found again by whoever needs it.
 */
export class ChunkLosses {
  /** By container: its ordinals, or all of it. */
  private readonly lost = new Map<string, Set<number> | 'all'>();
  private readonly everLost = new Set<string>();

  get isEmpty(): boolean {
    return this.lost.size === 0;
  }

  has({ container, ordinal }: Place): boolean {
    const lost = this.lost.get(container);
    return lost === 'all' || (lost?.has(ordinal) ?? false);
  }

  containers(): string[] {
    return [...this.lost.keys()];
  }

  /** True for a container of which something is, or was, lost: it is not to grow old. */
  concerns(container: string): boolean {
    return this.everLost.has(container);
  }

  /** @param ordinals At least one. */
  add(container: string, ordinals: Iterable<number>): void {
    const lost = this.lost.get(container) ?? new Set<number>();
    this.everLost.add(container);
    this.lost.set(container, lost);
    if (lost !== 'all') for (const ordinal of ordinals) lost.add(ordinal);
  }

  addAll(container: string): void {
    this.everLost.add(container);
    this.lost.set(container, 'all');
  }

  /** These are found somewhere else by now. */
  forget(places: readonly Place[]): void {
    for (const { container, ordinal } of places) {
      const lost = this.lost.get(container);
      if (lost === undefined || lost === 'all') continue;
      lost.delete(ordinal);
      if (lost.size === 0) this.lost.delete(container);
    }
  }

  /** These containers have gone. */
  drop(containers: readonly string[]): void {
    for (const container of containers) {
      this.lost.delete(container);
      this.everLost.delete(container);
    }
  }
}
