import type { ChunkPlaces } from './chunk-places.js';
import type { Place } from './index/chunk-map.js';

/** Chunks of a generation, of which two are kept: 10 MB, about. */
const GENERATION_MAX = 32_768;

/**
 * Where the chunks lie that a session was told of, or has written, a moment ago: who names them need not look
 * them up again. All of them are in the session's held map, so none goes; once anything at all has moved, it
 * knows nothing of what it heard before.
 */
export class KnownPlaces {
  private newer = new Map<string, Place>();
  private older = new Map<string, Place>();
  private asOf: number;

  constructor(private readonly places: Pick<ChunkPlaces, 'moves'>) {
    this.asOf = places.moves;
  }

  /**
   * @param chunk `idText` of it
   * @param asOf `moves` from before it was looked up
   */
  add(chunk: string, place: Place, asOf: number): void {
    this.forgetMoved();
    if (asOf !== this.asOf) return;
    if (this.newer.size >= GENERATION_MAX) {
      this.older = this.newer;
      this.newer = new Map();
    }
    this.newer.set(chunk, place);
  }

  get(chunk: string): Place | undefined {
    this.forgetMoved();
    return this.newer.get(chunk) ?? this.older.get(chunk);
  }

  private forgetMoved(): void {
    if (this.asOf === this.places.moves) return;
    this.asOf = this.places.moves;
    this.newer = new Map();
    this.older = new Map();
  }
}
