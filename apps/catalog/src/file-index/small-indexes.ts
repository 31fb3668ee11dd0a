import { Injectable } from '@nestjs/common';
import type { FragmentCommit } from '#contracts/fragment.js';

/** Those that wait to be loaded; what is forgotten is fetched from its media server. */
const KEPT_MAX = 1_000;

/** File indexes that came with the commits of their fragments, until they are loaded. In memory alone. */
@Injectable()
export class SmallIndexes {
  private readonly kept = new Map<string, Buffer>();

  /**
   * Takes the index out of a commit, and returns the rest. What that says of the index is checked when it is
   * loaded, as if it had been fetched.
   */
  takeOut({ index, ...commit }: FragmentCommit): FragmentCommit {
    if (index === undefined) return commit;
    this.kept.set(commit.fragmentId, Buffer.from(index, 'base64'));
    if (this.kept.size > KEPT_MAX) {
      const [oldest] = this.kept.keys();
      this.kept.delete(oldest!);
    }
    return commit;
  }

  /** Once: if it is no good, the next one comes from the media server. */
  take(fragmentId: string): Buffer | undefined {
    const index = this.kept.get(fragmentId);
    this.kept.delete(fragmentId);
    return index;
  }
}
