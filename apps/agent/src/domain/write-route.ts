/** Through the page cache, or past it. */
export type WriteRoute = 'cached' | 'direct';

/** Bytes that go one way before it is asked again. */
export const SLICE_BYTES = 16 * 1024 * 1024;
/** Every so many slices the other way is tried again. */
const TRY_AGAIN_SLICES = 16;

/**
 * Which way of writing is quicker here and now. The page cache takes as much as there is memory, however slow the disk is,
 * unless memory has to be found first; past it the disk's speed is all there is, at a fraction of the CPU time. Past
 * it restores of 3.8 GB took half of the time on one machine; on another the disk alone would need longer than they take
 * through the cache (docs/performance.md). So it is measured while files are written.
 */
export class QuickerRoute {
  /** Milliseconds for a slice, the last time. */
  private readonly took: Record<WriteRoute, number> = { cached: 0, direct: 0 };
  private slices = 0;

  /** For the next slice. */
  route: WriteRoute = 'cached';

  /** @param ms that a slice of `route` has taken */
  slice(ms: number): void {
    this.took[this.route] = ms;
    this.slices += 1;
    const { cached, direct } = this.took;
    const quicker = direct < cached ? 'direct' : 'cached';
    const isTrial = this.slices % TRY_AGAIN_SLICES === 0;
    this.route = isTrial === (quicker === 'cached') ? 'direct' : 'cached';
  }
}
