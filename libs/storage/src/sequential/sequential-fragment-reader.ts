import type { Manifest } from '#archive/manifest.js';
import type { FragmentObject, SealedFragmentReader } from '../fragment-store.js';
import { checkRange } from '../read-range.js';
import type { FragmentOnVolume } from '../library-books/library-state.js';
import type { SequentialLibrary } from './sequential-library.js';

/**
 * Reads one fragment of a volume by its position. It holds no drive between two reads: whoever has
 * several fragments open must not keep others, or itself, from the volumes that they wait for.
 */
export class SequentialFragmentReader implements SealedFragmentReader {
  constructor(
    private readonly fragment: FragmentOnVolume,
    private readonly library: SequentialLibrary,
  ) {}

  get manifest(): Manifest {
    return this.fragment.manifest;
  }

  size(object: FragmentObject): number {
    return object === 'data' ? this.manifest.storedBytes : this.manifest.indexBytes;
  }

  async read(object: FragmentObject, offset: number, length: number): Promise<Buffer> {
    checkRange(this, { object, offset, length });
    return this.library.read(this.fragment, { object, offset, length });
  }

  async close(): Promise<void> {}
}
