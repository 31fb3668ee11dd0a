import type { Clock } from '#kernel/clock.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { VolumeUnusable } from '#storage/errors.js';
import type { FragmentPlaces } from '../commits/commit-offers.js';
import type { MediaLibrary } from '../library/media-library.js';
import type { VolumeKind } from './store-kind.js';
import { Volume } from './volume.js';

export interface VolumesOptions {
  readonly mediaId: string;
  readonly volumes: readonly {
    readonly path: string;
    readonly pool: string;
    readonly kind?: VolumeKind;
  }[];
  readonly volumeReserveBytes: number;
  readonly clock: Clock;
  /** Pools whose fragments lie on the sequential volumes of a library. */
  readonly libraries?: readonly { readonly path: string; readonly pool: string }[];
  readonly openLibrary?: (where: { path: string; pool: string }) => Promise<MediaLibrary>;
}

/** The volumes of this media server. */
export class Volumes implements FragmentPlaces {
  private constructor(
    private readonly volumes: readonly Volume[],
    readonly libraries: readonly MediaLibrary[],
  ) {}

  /** Opens all of them, or none: throws `VolumeUnusable` for the first that cannot be opened. */
  static async open(options: VolumesOptions): Promise<Volumes> {
    const opened: Volume[] = [];
    const libraries: MediaLibrary[] = [];
    const { mediaId, clock, volumeReserveBytes: reserveBytes, openLibrary } = options;
    try {
      for (const where of options.volumes) {
        opened.push(await Volume.open({ ...where, mediaId, reserveBytes, clock }));
      }
      for (const { path, pool } of options.libraries ?? []) {
        const openStore = async () => {
          const library = await openLibrary!({ path, pool });
          libraries.push(library);
          return library;
        };
        const common = { path, pool, mediaId, reserveBytes, clock };
        opened.push(await Volume.open({ ...common, kind: 'library', openStore }));
      }
      expectDistinct(opened);
    } catch (error) {
      await Promise.all(opened.map((volume) => volume.close()));
      throw error;
    }
    return new Volumes(opened, libraries);
  }

  [Symbol.iterator](): Iterator<Volume> {
    return this.volumes.values();
  }

  /** Ids of those whose folders show them now: the file system of one may be away, or hang. */
  async there(): Promise<string[]> {
    const answers = await Promise.all(this.volumes.map((volume) => volume.answers()));
    return this.volumes.filter((_, at) => answers[at]).map(({ volumeId }) => volumeId);
  }

  volumeOf(fragmentId: string): Volume | undefined {
    return this.volumes.find((volume) => volume.ledger.find(fragmentId));
  }

  /**
   * The volume of a pool that has the most room; one that cannot be looked at is left out. Throws status 213
   * for a pool that has none here, and what is wrong with the first one where all are away.
   */
  async roomiest(pool: string): Promise<Volume> {
    let best: { volume: Volume; free: number } | undefined;
    const failures: unknown[] = [];
    for (const volume of this.volumes.filter((one) => one.pool === pool)) {
      try {
        await volume.requireAnswer();
        const free = await volume.store.freeBytes();
        if (!best || free > best.free) best = { volume, free };
      } catch (error) {
        failures.push(error);
      }
    }
    if (best) return best.volume;
    if (failures.length > 0) throw failures[0];
    throw new PermanentError(
      STATUS.noStorageUnits,
      `This media server has no volume of storage pool "${pool}".`,
    );
  }

  /** How many fragments the journals know, by phase or verdict. */
  countByState(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { ledger } of this.volumes) {
      for (const [, state] of ledger.all()) {
        const name = state.phase === 'JUDGED' ? state.verdict : state.phase;
        counts[name] = (counts[name] ?? 0) + 1;
      }
    }
    return counts;
  }

  async close(): Promise<void> {
    await Promise.all(this.volumes.map((volume) => volume.close()));
  }
}

function expectDistinct(volumes: readonly Volume[]): void {
  const known = new Map<string, Volume>();
  for (const volume of volumes) {
    const { volumeId, path } = volume;
    const first = known.get(volumeId);
    if (first) {
      throw new VolumeUnusable(
        path,
        `it has the same id (${volumeId}) as ${first.path}: one of the two is a copy of the other. ` +
          'Start with one of them only, and leave out the copy.',
      );
    }
    known.set(volumeId, volume);
  }
}
