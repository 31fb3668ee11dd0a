/*
 * The order of a file tree: that in which folders are finished when a tree is walked in archive order.
 * What is below a folder comes before what it holds itself, names by the value of their bytes. Path text
 * has no control characters, so two of them can say where a component ends and where a folder does.
 */
const BELOW = '\u0001';
const WITHIN = '\u0002';
const BEHIND = '\u0003';

/** From here on are the entries of a folder; its name follows. */
export function directoryKey(directory: string): string {
  if (directory === '') return WITHIN;
  return `${BELOW}${directory.replaceAll('/', BELOW)}${WITHIN}`;
}

/** Keys of a tree, `to` itself left out. */
export interface KeyRange {
  readonly from: string;
  readonly to: string;
}

/** One entry. */
export function entryRange(directory: string, name: string): KeyRange {
  const from = directoryKey(directory) + name;
  return { from, to: `${from}\u0000` };
}

/** What a folder itself holds, behind the name `after` where that is given. */
export function directoryRange(directory: string, after?: string): KeyRange {
  const key = directoryKey(directory);
  return {
    from: after === undefined ? key : `${key}${after}\u0000`,
    to: key.slice(0, -1) + BEHIND,
  };
}

const SURROGATE = /[\ud800-\udfff]/;

/** By the value of the bytes of UTF-8, as PostgreSQL's collation "C" and archives have it. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : 1;
}

/** Every key there can be. */
export const WHOLE_TREE: KeyRange = { from: '', to: BEHIND };
