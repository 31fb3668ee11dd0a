import { posix } from 'node:path';

import { compareArchivePaths, isWithin } from '#archive/archive-order.js';
import { toPathText, type ByteString } from '#archive/path-text.js';
import { InvalidInput } from '#kernel/errors.js';

/** A place where a walk begins. */
export interface Selection {
  /** Absolute byte string without a slash at its end (but `/` is `/`). */
  readonly path: ByteString;
  /** The path was given with a slash at its end: if it is a symlink, what it points at is meant. */
  readonly follow: boolean;
}

/** Selections that lie inside none of the others, each with those that lie inside it. */
export interface SelectionTree extends Selection {
  /** In archive order. They matter where the walk of the outer one does not reach them by itself. */
  readonly inner: readonly Selection[];
}

/**
 * Brings the selections of a policy into archive order, each once.
 * @throws InvalidInput for a path that is not absolute or holds a NUL.
 */
export function selectionTrees(paths: readonly ByteString[]): SelectionTree[] {
  const unique = new Map<ByteString, Selection>();
  for (const given of paths) {
    const selection = selectionOf(given);
    const known = unique.get(selection.path);
    unique.set(selection.path, known?.follow ? known : selection);
  }
  const sorted = [...unique.values()].sort((a, b) =>
    compareArchivePaths(a.path.slice(1), b.path.slice(1)),
  );
  const trees: (Selection & { inner: Selection[] })[] = [];
  for (const selection of sorted) {
    const outer = trees.at(-1);
    if (outer && isWithin(selection.path.slice(1), outer.path.slice(1))) {
      outer.inner.push(selection);
    } else trees.push({ ...selection, inner: [] });
  }
  return trees;
}

function selectionOf(given: ByteString): Selection {
  if (!given.startsWith('/') || given.includes('\0')) {
    throw new InvalidInput(
      `The selection "${toPathText(given)}" is not an absolute path.`,
      'selections',
    );
  }
  const path = posix
    .normalize(given)
    .replace(/^\/+/, '/')
    .replace(/(?<=.)\/+$/, '');
  return { path, follow: given.endsWith('/') };
}
