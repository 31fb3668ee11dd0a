import type {
  Added,
  ChunkIndex,
  CollectedContainer,
  ContainerContent,
} from '../chunks/index/chunk-index.js';
import type { ChunkMap, Place } from '../chunks/index/chunk-map.js';

/** An index that lets others come in between: before and behind each change, and before an answer arrives. */
export class ShakyIndex implements ChunkIndex {
  /**
   * @param between Before and behind each change.
   * @param pause Before an answer, which may be old by then.
   */
  constructor(
    private readonly index: ChunkIndex,
    private readonly between: (step: string) => Promise<void>,
    private readonly pause: () => Promise<void>,
  ) {}

  async lookup(domain: string, ids: readonly Buffer[]): Promise<(Place | undefined)[]> {
    const places = await this.index.lookup(domain, ids);
    await this.pause();
    return places;
  }

  add(
    content: ContainerContent,
    isLost?: (place: Place, ordinal: number) => boolean,
  ): Promise<Added | undefined> {
    return this.shake('add', () => this.index.add(content, isLost));
  }

  async counts(container: string): Promise<Uint32Array | undefined> {
    const counts = await this.index.counts(container);
    await this.pause();
    return counts;
  }

  change(holder: string, to: 'held' | 'released', chunks: ChunkMap): Promise<void> {
    return this.shake(to, () => this.index.change(holder, to, chunks));
  }

  isHolder(holder: string): Promise<boolean> {
    return this.index.isHolder(holder);
  }

  replace(
    gone: readonly ContainerContent[],
    collected: readonly CollectedContainer[],
  ): Promise<void> {
    return this.shake('replace', () => this.index.replace(gone, collected));
  }

  containers(): AsyncIterable<string> {
    return this.index.containers();
  }

  holders(): AsyncIterable<string> {
    return this.index.holders();
  }

  close(): Promise<void> {
    return this.index.close();
  }

  private async shake<T>(what: string, work: () => Promise<T>): Promise<T> {
    await this.between(`before ${what}`);
    const result = await work();
    await this.between(`behind ${what}`);
    return result;
  }
}
