import { compareArchivePaths, isWithin } from '#archive/archive-order.js';
import { fromPathText, type ByteString } from '#archive/path-text.js';

/** `parent`: a folder on the way to something that was asked for. */
export type SelectionVerdict = 'selected' | 'parent' | 'not selected';

/**
 * What is to be restored: paths, each with everything below it. Paths are asked about in archive order, so one
 * step forward through the sorted list answers each question. Nothing given means everything.
 */
export class Selection {
  readonly #roots: ByteString[] = [];
  /** Paths below another selected one: they select nothing more, but the user wants to know if they are there. */
  readonly #nested = new Set<ByteString>();
  readonly #found = new Set<ByteString>();
  #at = 0;

  /** @param paths path texts, with or without the leading slash. @throws InvalidInput on a bad escape. */
  constructor(readonly paths: readonly string[]) {
    const sorted = [...new Set(paths.map(selectedPath))].sort(compareArchivePaths);
    for (const path of sorted) {
      const last = this.#roots.at(-1);
      if (last !== undefined && isWithin(path, last)) this.#nested.add(path);
      else this.#roots.push(path);
    }
  }

  /** True when no later path can be selected. */
  get exhausted(): boolean {
    return this.paths.length > 0 && this.#at >= this.#roots.length;
  }

  /** Begins again from the first path of the archive. What was found stays found. */
  rewind(): void {
    this.#at = 0;
  }

  /** Must be asked in archive order. */
  verdict(path: ByteString): SelectionVerdict {
    if (this.paths.length === 0) return 'selected';
    let root = this.#roots[this.#at];
    while (root !== undefined && compareArchivePaths(root, path) < 0 && !isWithin(path, root)) {
      root = this.#roots[++this.#at];
    }
    if (root === undefined) return 'not selected';
    if (isWithin(path, root)) {
      this.#found.add(root);
      if (this.#nested.has(path)) this.#found.add(path);
      return 'selected';
    }
    return isWithin(root, path) ? 'parent' : 'not selected';
  }

  /** The given paths of which nothing was found. */
  notFound(): string[] {
    return this.paths.filter((path) => !this.#found.has(selectedPath(path)));
  }
}

function selectedPath(text: string): ByteString {
  const path = fromPathText(text)
    .replace(/^(?:\.?\/)+/, '')
    .replace(/\/+$/, '');
  return path === '.' ? '' : path;
}
