import type { Place } from '../index/chunk-map.js';
import { verifyContainer, type Containers } from './verify-containers.js';

/**
 * Looks over containers of which something could not be read, so that all of them that is lost is known:
 * in the background, one at a time, each whenever a read has met what nobody knew of.
 */
export class LookOver {
  private readonly waiting = new Set<string>();
  private turn: Promise<void> = Promise.resolve();
  private isClosed = false;

  constructor(private readonly volume: Containers) {}

  /** Has the container of a chunk looked over that could not be read. */
  want(place: Place): void {
    const { container } = place;
    if (this.volume.places.losses.has(place) || this.waiting.has(container)) return;
    this.waiting.add(container);
    this.turn = this.turn.then(() => this.look(container));
  }

  /** Ends what is on its way, and looks at nothing more. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.turn;
  }

  private async look(container: string): Promise<void> {
    try {
      if (!this.isClosed) await verifyContainer(this.volume, container);
    } catch {
      // Nothing is certain then; whoever reads it next finds out.
    } finally {
      this.waiting.delete(container);
    }
  }
}
