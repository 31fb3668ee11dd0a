import type { Manifest } from '#archive/manifest.js';
import type { WrittenCopy } from '#contracts/task.js';
import type { FragmentWriter } from '#storage/fragment-store.js';
import { NewFragments, type NewFragmentsOptions } from '../sessions/new-fragments.js';

export interface TargetOptions extends NewFragmentsOptions {
  readonly image: WrittenCopy;
}

/** Writes one fragment of the further copy. Returns when its writer holds all that it shall hold. */
export type FillFragment = (writer: FragmentWriter) => Promise<void>;

/** Makes the fragments of a further copy by the laws of `NewFragments`. */
export class FragmentTarget {
  private readonly fragments: NewFragments;

  constructor(private readonly options: TargetOptions) {
    this.fragments = new NewFragments(options);
  }

  /** @returns the new fragment's id. Throws what `fill`, the volume or the journal threw. */
  async make(source: Manifest, fill: FillFragment): Promise<string> {
    const { crashPoint, image } = this.options;
    const { imageId, number, storedBytes: bytesMax } = source;
    const { copy, copyAttempt: attempt } = image;
    const writer = await this.fragments.create({ imageId, copy, number, attempt, bytesMax });
    const { fragmentId } = writer.name;
    try {
      await fill(writer);
      crashPoint('duplicate-copied');
      await this.fragments.seal(this.manifest(source, fragmentId), writer);
    } catch (error) {
      await this.fragments.giveUp(writer);
      throw error;
    }
    return fragmentId;
  }

  /** The source's, but for what makes it another fragment. */
  private manifest(source: Manifest, fragmentId: string): Manifest {
    const { copy, copyAttempt: attempt, details } = this.options.image;
    return { ...source, fragmentId, copy, attempt, ...(source.last && { image: details }) };
  }
}
