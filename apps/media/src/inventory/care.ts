import type { Clock } from '#kernel/clock.js';
import type { CommitOffers } from '../commits/commit-offers.js';
import { nameOf } from '../domain/journal-state.js';
import type { Removals } from '../removal/removals.js';
import type { Holding, Holdings } from './holdings.js';

export interface CareOptions {
  readonly holdings: Holdings;
  readonly offers: Pick<CommitOffers, 'add' | 'offerDirectly'>;
  readonly removals: Pick<Removals, 'alone' | 'forget'>;
  readonly clock: Clock;
}

/**
 * What the catalog asks for when it has compared its rows with this media server. All may be repeated, and throw
 * `Unavailable` where a volume is away or hangs. What fails holds up none of the others; the first failure is thrown
 * behind them.
 */
export class Care {
  constructor(private readonly options: CareOptions) {}

  /** Takes whole fragments that the journal does not know into it, and offers them. */
  adopt(fragmentIds: readonly string[]): Promise<number> {
    return this.each(fragmentIds, (holding) => this.adoptOne(holding));
  }

  /**
   * Brings back from the trash what is there whole, and offers it. The journal is first to say so: a
   * crash in between is finished at the start.
   */
  takeBack(fragmentIds: readonly string[]): Promise<number> {
    return this.each(fragmentIds, (holding) => this.takeBackOne(holding));
  }

  /** Offers fragments past the broker, whatever verdict the journal has on them. */
  offerAgain(fragmentIds: readonly string[]): Promise<number> {
    return this.options.offers.offerDirectly(fragmentIds);
  }

  private async each(
    fragmentIds: readonly string[],
    work: (holding: Holding) => Promise<boolean>,
  ): Promise<number> {
    let done = 0;
    const failures: unknown[] = [];
    for (const fragmentId of new Set(fragmentIds)) {
      const volume = this.options.holdings.find(fragmentId)?.volume;
      if (!volume) continue;
      try {
        // Else it would be waited for behind what hangs there already.
        await volume.requireAnswer();
        await this.options.removals.alone(volume, async () => {
          const holding = this.options.holdings.find(fragmentId);
          if (holding && (await work(holding))) done += 1;
        });
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return done;
  }

  private async adoptOne({ volume, name, state, fragmentId }: Holding): Promise<boolean> {
    if (state) return false;
    const found = await volume.store.stat(name);
    if (found?.state !== 'sealed') return false;
    await volume.ledger.sealed(found.manifest, this.options.clock.now().toISOString());
    this.options.offers.add(fragmentId, volume);
    return true;
  }

  private async takeBackOne(holding: Holding): Promise<boolean> {
    const { volume, state, fragmentId, name } = holding;
    if (!state) return this.takeOrphanBack(holding);
    if (state.phase !== 'REMOVED' && state.phase !== 'CONDEMNED') return false;
    const { store, ledger } = volume;
    const { tombstoneId } = state;
    const isInPlace = (await store.stat(name))?.state === 'sealed';
    const { digest } = state.manifest;
    let isInTrash = false;
    for await (const { manifest } of store.trash(tombstoneId)) {
      isInTrash ||= manifest?.digest === digest;
    }
    if (!isInPlace && !isInTrash) return false;
    await ledger.takenBack(fragmentId);
    this.options.removals.forget(fragmentId);
    if (!isInPlace) await store.takeBack(tombstoneId, nameOf(state));
    this.options.offers.add(fragmentId, volume);
    return (await store.stat(name))?.state === 'sealed';
  }

  private async takeOrphanBack(holding: Holding): Promise<boolean> {
    const { volume, name, trashedBy } = holding;
    if (trashedBy === undefined) return false;
    await volume.store.takeBack(trashedBy, name);
    return this.adoptOne(holding);
  }
}
