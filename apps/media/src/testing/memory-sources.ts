import type { FragmentCommit } from '#contracts/fragment.js';
import type { FragmentView } from '#contracts/image.js';
import { Unavailable } from '#kernel/errors.js';
import type { VerifyCatalog } from '../inventory/verify-run.js';
import type { NumberSources, SourceCatalog } from '../duplication/duplicate-run.js';

/** The part of a catalog that knows where fragments lie; it can be told to be away. */
export class MemorySources implements SourceCatalog, VerifyCatalog {
  readonly views: FragmentView[] = [];
  readonly suspects: string[] = [];
  asked = 0;
  down = false;
  pageMax = 100;

  /** Knows of these too; what comes first is preferred. */
  add(commits: Iterable<FragmentCommit>): void {
    for (const commit of commits) this.views.push(viewOf(commit));
  }

  async missing({ copy }: { readonly copy: number }, afterNumber: number) {
    this.asked += 1;
    if (this.down) throw new Unavailable('no catalog');
    const held = new Set(this.views.filter((one) => one.copy === copy).map(({ number }) => number));
    const numbers = [...new Set(this.views.map(({ number }) => number))]
      .filter((number) => number > afterNumber && !held.has(number))
      .sort((a, b) => a - b);
    return numbers.slice(0, this.pageMax).map((number) => ({
      number,
      sources: this.views.filter((one) => one.number === number && one.copy !== copy),
    }));
  }

  async fragments(_imageId: string, afterNumber: number): Promise<readonly NumberSources[]> {
    return this.missing({ copy: 0 }, afterNumber);
  }

  async suspect(fragmentId: string, _reason: string): Promise<void> {
    if (this.down) throw new Unavailable('no catalog');
    this.suspects.push(fragmentId);
  }
}

/** Knows several images. */
export class ImageSources extends MemorySources {
  override async fragments(imageId: string, afterNumber: number) {
    const pages = await super.fragments(imageId, afterNumber);
    return pages.flatMap(({ number, sources }) => {
      const own = sources.filter((one) => one.imageId === imageId);
      return own.length > 0 ? [{ number, sources: own }] : [];
    });
  }
}

function viewOf(commit: FragmentCommit): FragmentView {
  const { last: _, sealedAt: committedAt, ...rest } = commit;
  return { ...rest, committedAt, state: 'ACTIVE', stateReason: '', deletableAt: null };
}
