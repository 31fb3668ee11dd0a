import type { Manifest } from '#archive/manifest.js';
import type { WrittenCopy } from '#contracts/task.js';
import type { Clock } from '#kernel/clock.js';
import { uuidv7 } from '#kernel/ids.js';
import type { CommitOffers } from '../commits/commit-offers.js';
import type { CrashPoint } from '../crash-point.js';
import { OpenFragment } from '../sessions/open-fragment.js';
import type { Volume } from '../volumes/volume.js';
import type { FragmentPlaces } from './synthetic-archive.js';

export interface SynthesisTargetOptions {
  readonly image: WrittenCopy;
  readonly volume: Volume;
  readonly fragmentBytesMax: number;
  readonly offers: Pick<CommitOffers, 'add'>;
  readonly clock: Clock;
  readonly crashPoint: CrashPoint;
  readonly onSealed: () => void;
}

/** What the last manifest says of the whole image. */
export type ImageTotals = Required<Pick<Manifest, 'fragments' | 'files' | 'bytes'>>;

/**
 * Writes the fragments of a synthetic full, as a backup's are written: INTENT in the journal before the first
 * byte; SEALED after the seal; then it is offered. What failed stays as partial.
 */
export class SynthesisTarget implements FragmentPlaces {
  /** Ids of what was sealed here, by number. */
  readonly sealed = new Map<number, string>();
  private current: OpenFragment | undefined;
  /** The last one, which is sealed when the totals are known. */
  private last: { readonly fragment: OpenFragment; readonly archiveOffset: number } | undefined;

  constructor(private readonly options: SynthesisTargetOptions) {}

  async open(number: number): Promise<OpenFragment> {
    const { volume, clock, crashPoint, fragmentBytesMax } = this.options;
    const { imageId, copy, copyAttempt: attempt } = this.options.image;
    const fragmentId = uuidv7(clock.now());
    await volume.ledger.intent({ fragmentId, imageId, copy, number, attempt });
    crashPoint('intent-journalled');
    const writer = await volume.store.create({ fragmentId, imageId, copy, number });
    this.current = new OpenFragment(writer, fragmentBytesMax);
    return this.current;
  }

  async seal(
    fragment: OpenFragment,
    { archiveOffset, last }: { archiveOffset: number; last: boolean },
  ): Promise<void> {
    if (last) this.last = { fragment, archiveOffset };
    else await this.sealAs(fragment, archiveOffset);
  }

  /** Seals the last fragment; none where earlier attempts have sealed it. */
  async finish(totals: ImageTotals): Promise<void> {
    if (!this.last) return;
    const { fragment, archiveOffset } = this.last;
    await this.sealAs(fragment, archiveOffset, totals);
  }

  /** Leaves what is open where it is. */
  async abandon(): Promise<void> {
    await this.current?.abandon();
    this.current = undefined;
  }

  private async sealAs(
    fragment: OpenFragment,
    archiveOffset: number,
    totals?: ImageTotals,
  ): Promise<void> {
    const { volume, offers, clock, crashPoint, onSealed } = this.options;
    const { imageId, copy, copyAttempt, client, policy, kind, backupTime, details } =
      this.options.image;
    const { number, fragmentId } = fragment.name;
    const manifest: Manifest = {
      ...{ version: 1, fragmentId, imageId, copy, number, attempt: copyAttempt },
      ...{ client, policy, kind, backupTime, archiveOffset },
      ...(await fragment.complete()),
      last: totals !== undefined,
      ...(totals && { ...totals, image: details }),
    };
    await fragment.seal(manifest);
    crashPoint('fragment-sealed');
    await volume.ledger.sealed(manifest, clock.now().toISOString());
    crashPoint('seal-journalled');
    this.current = undefined;
    this.sealed.set(number, fragmentId);
    offers.add(fragmentId, volume, fragment.smallIndex);
    onSealed();
  }
}
