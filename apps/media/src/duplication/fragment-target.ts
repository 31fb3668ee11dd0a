import type { Manifest } from '#archive/manifest.js';
import type { WrittenCopy } from '#contracts/task.js';
import type { Clock } from '#kernel/clock.js';
import { uuidv7 } from '#kernel/ids.js';
import type { FragmentWriter } from '#storage/fragment-store.js';
import type { CommitOffers } from '../commits/commit-offers.js';
import type { CrashPoint } from '../crash-point.js';
import { jobAtWork } from '../library/job-at-work.js';
import type { Volume } from '../volumes/volume.js';

export interface TargetOptions {
  readonly image: WrittenCopy;
  readonly volume: Volume;
  readonly offers: Pick<CommitOffers, 'add'>;
  readonly clock: Clock;
  readonly crashPoint: CrashPoint;
}

/** Writes one fragment of the further copy. Returns when its writer holds all that it shall hold. */
export type FillFragment = (writer: FragmentWriter) => Promise<void>;

/**
 * Makes the fragments of a further copy: INTENT in the journal before the first byte, under an id of
 * its own for every try; SEALED after the seal; then it is offered. What failed stays as partial.
 */
export class FragmentTarget {
  constructor(private readonly options: TargetOptions) {}

  /** @returns the new fragment's id. Throws what `fill`, the volume or the journal threw. */
  async make(source: Manifest, fill: FillFragment): Promise<string> {
    const { volume, offers, clock, crashPoint } = this.options;
    const manifest = this.manifest(source, uuidv7(clock.now()));
    const { fragmentId, imageId, copy, number, attempt } = manifest;
    const name = { fragmentId, imageId, copy, number };
    const signal = jobAtWork()?.signal;
    const bytesMax = source.storedBytes + source.indexBytes;
    await volume.store.admit?.(name, { bytesMax, ...(signal && { signal }) });
    await volume.ledger.intent({ ...name, attempt });
    crashPoint('intent-journalled');
    const writer = await volume.store.create(name);
    try {
      await fill(writer);
      crashPoint('duplicate-copied');
      await writer.seal(manifest);
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    crashPoint('fragment-sealed');
    await volume.ledger.sealed(manifest, clock.now().toISOString());
    crashPoint('seal-journalled');
    offers.add(fragmentId, volume);
    return fragmentId;
  }

  /** The source's, but for what makes it another fragment. */
  private manifest(source: Manifest, fragmentId: string): Manifest {
    const { copy, copyAttempt: attempt, details } = this.options.image;
    return { ...source, fragmentId, copy, attempt, ...(source.last && { image: details }) };
  }
}
