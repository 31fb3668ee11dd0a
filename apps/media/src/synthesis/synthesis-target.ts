import type { FrameMaker } from '#archive/frames/frame-maker.js';
import type { Manifest } from '#archive/manifest.js';
import type { WrittenCopy } from '#contracts/task.js';
import { fragmentBytesMaxAt } from '#transfer/fragment-bytes.js';
import { NewFragments, type NewFragmentsOptions } from '../sessions/new-fragments.js';
import type { ChunkReceiver } from '../sessions/chunk-receiver.js';
import { OpenFragment } from '../sessions/open-fragment.js';
import { ChunkedFragment } from './chunked-fragment.js';
import type { SyntheticFragment, SyntheticFragments } from './synthetic-archive.js';

export interface SynthesisTargetOptions extends NewFragmentsOptions {
  readonly image: WrittenCopy;
  readonly fragmentBytesMax: number;
  /** Where the volume deduplicates. Its frames have to be `RAW_FRAMES` then. */
  readonly chunks?: { readonly receiver: ChunkReceiver; readonly frames: FrameMaker } | undefined;
  /** Is told how many fragments the image has so far. */
  readonly onSealed: (fragments: number) => void;
}

/** What the last manifest says of the whole image. */
export type ImageTotals = Required<Pick<Manifest, 'fragments' | 'files' | 'bytes'>>;

/** Makes the fragments of a synthetic full by the laws of `NewFragments`. */
export class SynthesisTarget implements SyntheticFragments {
  /** Ids of what was sealed here, by number. */
  readonly sealed = new Map<number, string>();
  private current: SyntheticFragment | undefined;
  /** The last one, which is sealed when the totals are known. */
  private last:
    { readonly fragment: SyntheticFragment; readonly archiveOffset: number } | undefined;

  private readonly fragments: NewFragments;

  constructor(private readonly options: SynthesisTargetOptions) {
    this.fragments = new NewFragments(options);
  }

  async open(number: number, archiveOffset: number): Promise<SyntheticFragment> {
    const { fragmentBytesMax, chunks } = this.options;
    const bytesMax = fragmentBytesMaxAt(number, fragmentBytesMax);
    const { imageId, copy, copyAttempt: attempt } = this.options.image;
    const fragment = { imageId, copy, number, attempt, bytesMax };
    if (chunks) {
      const writer = await chunks.receiver.begin(await this.fragments.announce(fragment));
      // Behind the first one it may begin anywhere in an entry.
      const start = { archiveOffset, entryLeft: number > 1 ? undefined : 0 };
      const { receiver, frames } = chunks;
      this.current = new ChunkedFragment(writer, receiver, { start, frames });
    } else this.current = new OpenFragment(await this.fragments.create(fragment), bytesMax);
    return this.current;
  }

  async seal(
    fragment: SyntheticFragment,
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

  /** Takes back what is open. */
  async abandon(): Promise<void> {
    if (this.current) await this.fragments.giveUp(this.current);
    this.current = undefined;
  }

  private async sealAs(
    fragment: SyntheticFragment,
    archiveOffset: number,
    totals?: ImageTotals,
  ): Promise<void> {
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
    await this.fragments.seal(manifest, fragment);
    this.current = undefined;
    this.sealed.set(number, fragmentId);
    this.options.onSealed(number);
  }
}
