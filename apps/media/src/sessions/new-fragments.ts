import type { Manifest } from '#archive/manifest.js';
import type { Clock } from '#kernel/clock.js';
import { InvalidInput } from '#kernel/errors.js';
import { uuidv7 } from '#kernel/ids.js';
import { FRAGMENT_NUMBER_MAX, type FragmentName } from '#storage/fragment-name.js';
import type { FragmentWriter } from '#storage/fragment-store.js';
import type { CommitOffers } from '../commits/commit-offers.js';
import type { CrashPoint } from '../crash-point.js';
import type { Volume } from '../volumes/volume.js';

export interface NewFragmentsOptions {
  readonly volume: Volume;
  readonly offers: Pick<CommitOffers, 'add'>;
  readonly clock: Clock;
  readonly crashPoint: CrashPoint;
  /** Ends a wait for room, with status 150. */
  readonly signal: AbortSignal;
}

/** What is known of a fragment before it has an id. */
export interface FragmentToBe extends Omit<FragmentName, 'fragmentId'> {
  /** The fence of (image, copy). */
  readonly attempt: number;
  /** Bytes that its data will have at most. */
  readonly bytesMax: number;
}

/**
 * How a fragment comes to be on a volume, whoever writes it. Laws:
 *
 * - The folder holds this volume when a fragment is begun and when its seal is: the disk may have been
 *   unmounted under a running process, and what was written then would lie beside it.
 * - INTENT is in the journal before the first byte, under an id that is new with every try.
 * - The volume knows how large the fragment may become before it begins, and may let it wait for that room.
 * - SEALED is in the journal when the seal is durable, and before the catalog is offered the fragment.
 * - What failed before its seal was begun is taken back by whoever wrote it, and nothing of it stays. From the
 *   seal on, and after a crash, it stays where it is: as begun in the journal, as partial on the volume. Where
 *   a seal on a library fails it leaves the spool, and stays as begun in the journal: it may be on a cartridge.
 */
export class NewFragments {
  constructor(private readonly options: NewFragmentsOptions) {}

  /** INTENT, for whoever begins what it names. @throws InvalidInput for one more than an image can have */
  async announce(fragment: FragmentToBe): Promise<FragmentName> {
    const { imageId, copy, number, attempt } = fragment;
    if (number > FRAGMENT_NUMBER_MAX) {
      throw new InvalidInput(
        `An image has at most ${FRAGMENT_NUMBER_MAX} fragments, and this one needs more. ` +
          'Raise the fragmentBytesMax of the storage unit, and have a new image made.',
        'fragmentBytesMax',
      );
    }
    const { volume, clock, crashPoint } = this.options;
    const name = { imageId, copy, number, fragmentId: uuidv7(clock.now()) };
    await volume.requireThere();
    await volume.ledger.intent({ ...name, attempt });
    crashPoint('intent-journalled');
    return name;
  }

  /** Begins a fragment of bytes. */
  async create(fragment: FragmentToBe): Promise<FragmentWriter> {
    const { signal, volume } = this.options;
    const name = await this.announce(fragment);
    const plan = { bytesMax: fragment.bytesMax, signal };
    return volume.store.createInTurn?.(name, plan) ?? volume.store.create(name);
  }

  /** Ends a fragment that was begun here and comes to nothing. Never throws. */
  async giveUp(fragment: Pick<FragmentWriter, 'name' | 'discard'>): Promise<void> {
    if (await fragment.discard()) this.options.volume.ledger.forget(fragment.name.fragmentId);
  }

  /** `fragment` is one that was begun here. */
  async seal(
    manifest: Manifest,
    fragment: { seal(manifest: Manifest): Promise<void>; readonly smallIndex?: Buffer | undefined },
  ): Promise<void> {
    const { volume, offers, clock, crashPoint } = this.options;
    await volume.requireThere();
    await fragment.seal(manifest);
    crashPoint('fragment-sealed');
    await volume.ledger.sealed(manifest, clock.now().toISOString());
    crashPoint('seal-journalled');
    offers.add(manifest.fragmentId, volume, fragment.smallIndex);
  }
}
