import type { FragmentName } from '#storage/fragment-name.js';
import { nameOf, type FragmentState } from '../domain/journal-state.js';
import type { Volume } from '../volumes/volume.js';
import type { Volumes } from '../volumes/volumes.js';
import { untilUnread } from '../volumes/until-unread.js';
import { scanOrphans, type Orphan } from './orphans.js';

/** A fragment of which the journal or the medium speaks. */
export interface Holding {
  readonly fragmentId: string;
  readonly volume: Volume;
  readonly name: FragmentName;
  /** Of the journal; missing for an orphan. */
  readonly state?: FragmentState;
  /** Lies in the trash of this tombstone, and the journal does not know it. */
  readonly trashedBy?: string;
}

/**
 * All that this media server holds, by fragment id: what the journals say, and the orphans that a look
 * over the volumes has found at the start. Nothing can become an orphan while the server runs.
 */
export class Holdings {
  private readonly orphans = new Map<string, Orphan>();
  private readonly sorted = new Map<
    Volume,
    { readonly membership: number; readonly ids: string[] }
  >();
  private sortedOrphans: string[] = [];
  private scanned: Promise<void> = Promise.resolve();
  private readonly seen = new Set<Volume>();
  /** Volumes of which not all could be read, with the reason. */
  readonly unread = new Map<Volume, unknown>();

  constructor(private readonly volumes: Volumes) {}

  /** Begins to look for orphans. Resolves with how many of them are whole on each volume. */
  scan(): Promise<ReadonlyMap<Volume, number>> {
    const scanning = this.lookOver(this.volumes);
    this.scanned = scanning.then(() => undefined);
    // Thrown at whoever asks for a page.
    this.scanned.catch(() => undefined);
    return scanning;
  }

  /** Whether all of a volume was looked over: else there may be orphans on it that nobody has seen. */
  hasSeen(volume: Volume): boolean {
    return this.seen.has(volume);
  }

  find(fragmentId: string): Holding | undefined {
    const volume = this.volumes.volumeOf(fragmentId);
    const state = volume?.ledger.find(fragmentId);
    if (!volume || !state) return this.orphans.get(fragmentId);
    const { imageId, copy, number } = state.phase === 'INTENT' ? state.intent : nameOf(state);
    return { fragmentId, volume, name: { imageId, copy, number, fragmentId }, state };
  }

  /** The next ones behind `after`, orphans included, once they are known. */
  async page(after: string, limit: number): Promise<Holding[]> {
    await this.scanned;
    // It may have been mended: the next comparison hears of that.
    if (after === '' && this.unread.size > 0) void this.lookOver([...this.unread.keys()]);
    const rows = [this.sortedOrphans, ...[...this.volumes].map((volume) => this.idsOf(volume))];
    const ids = new Set(rows.flatMap((row) => behind(row, after, limit)));
    return [...ids]
      .sort()
      .slice(0, limit)
      .flatMap((fragmentId) => this.find(fragmentId) ?? []);
  }

  private async lookOver(volumes: Iterable<Volume>): Promise<ReadonlyMap<Volume, number>> {
    const whole = new Map<Volume, number>();
    for (const volume of volumes) {
      whole.set(volume, 0);
      this.unread.delete(volume);
      const failed = (error: unknown) => void this.unread.set(volume, error);
      for await (const { isWhole, ...orphan } of untilUnread(scanOrphans(volume), failed)) {
        this.orphans.set(orphan.fragmentId, orphan);
        if (isWhole) whole.set(volume, whole.get(volume)! + 1);
      }
      if (!this.unread.has(volume)) this.seen.add(volume);
    }
    this.sortedOrphans = [...this.orphans.keys()].sort();
    return whole;
  }

  private idsOf(volume: Volume): readonly string[] {
    const { membership } = volume.ledger;
    const known = this.sorted.get(volume);
    if (known?.membership === membership) return known.ids;
    const ids = [...volume.ledger.all()].map(([fragmentId]) => fragmentId).sort();
    this.sorted.set(volume, { membership, ids });
    return ids;
  }
}

function behind(ids: readonly string[], after: string, limit: number): readonly string[] {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ids[middle]! <= after) low = middle + 1;
    else high = middle;
  }
  return ids.slice(low, low + limit);
}
