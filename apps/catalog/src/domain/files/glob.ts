/** A search for files, in the form in which the tables can answer it. All texts are path text. */
export type FindPlan =
  /** One path. */
  | { readonly by: 'path'; readonly directory: string; readonly name: string }
  /** A name, wherever it is. */
  | { readonly by: 'name'; readonly name: string }
  /** Names like this one. */
  | { readonly by: 'name-like'; readonly like: string }
  /**
   * Whole paths like this one. Only directories that equal `directory` or begin with
   * `directoryPrefix` can hold them; `name` is what the last component must be, where that is known.
   */
  | {
      readonly by: 'path-like';
      readonly like: string;
      readonly directory: string;
      readonly directoryPrefix: string;
      readonly name: string | undefined;
    };

const WILDCARD = /[*?]/;

/**
 * Reads a pattern: `*` stands for any text, slashes included, `?` for one character. With a slash
 * it is matched against the whole path, without one against the last component. A slash at the
 * beginning says "from the root"; one at the end is dropped.
 */
export function planFind(pattern: string): FindPlan {
  const fromRoot = pattern.startsWith('/');
  const path = trimSlashes(pattern);
  const whole = fromRoot || path.includes('/');
  if (!WILDCARD.test(path)) {
    return whole ? { by: 'path', ...splitPath(path) } : { by: 'name', name: path };
  }
  if (!whole) return { by: 'name-like', like: toLike(path) };
  const prefix = path.slice(0, path.search(WILDCARD));
  const { name } = splitPath(path);
  return {
    by: 'path-like',
    like: toLike(path),
    directory: splitPath(prefix).directory,
    directoryPrefix: prefix,
    name: WILDCARD.test(name) ? undefined : name,
  };
}

/** A glob as a LIKE pattern with the backslash as its escape. */
export function toLike(glob: string): string {
  return glob
    .replace(/[\\%_]/g, '\\$&')
    .replaceAll('*', '%')
    .replaceAll('?', '_');
}

/** Whether an entry is what is searched for. */
export function matcherOf(plan: FindPlan): (directory: string, name: string) => boolean {
  switch (plan.by) {
    case 'path':
      return (directory, name) => name === plan.name && directory === plan.directory;
    case 'name':
      return (_, name) => name === plan.name;
    case 'name-like': {
      const pattern = likePattern(plan.like);
      return (_, name) => isLike(pattern, name);
    }
    case 'path-like': {
      const pattern = likePattern(plan.like);
      return (directory, name) =>
        (plan.name === undefined || name === plan.name) &&
        isLike(pattern, directory === '' ? name : `${directory}/${name}`);
    }
    default:
      return plan satisfies never;
  }
}

/** Code points, and these for the wildcards. */
type LikePattern = readonly number[];
const ANY_TEXT = -1;
const ONE_CHARACTER = -2;

function likePattern(like: string): LikePattern {
  const pieces = like.matchAll(/\\(.)|./gsu);
  return Array.from(pieces, ([piece, escaped]) => {
    if (escaped === undefined && piece === '%') return ANY_TEXT;
    if (escaped === undefined && piece === '_') return ONE_CHARACTER;
    return (escaped ?? piece).codePointAt(0)!;
  });
}

/**
 * Not by a regular expression: one with several wildcards tries all ways to share a text out among them.
 * Here only the last one that was met takes more when what is behind it does not fit: what fits with more
 * for one before fits so, too. The time is that of pattern times text at most.
 */
function isLike(pattern: LikePattern, text: string): boolean {
  let at = 0;
  let next = 0;
  /** What is behind the last wildcard for any text, and where in the text that was tried last. */
  let behind: { readonly next: number; at: number } | undefined;
  while (at < text.length) {
    const wanted = pattern[next];
    const found = text.codePointAt(at)!;
    if (wanted === ANY_TEXT) {
      next += 1;
      behind = { next, at };
    } else if (wanted === ONE_CHARACTER || wanted === found) {
      next += 1;
      at += unitsOf(found);
    } else if (behind) {
      behind.at += unitsOf(text.codePointAt(behind.at)!);
      ({ next, at } = behind);
    } else {
      return false;
    }
  }
  return pattern.slice(next).every((wanted) => wanted === ANY_TEXT);
}

/** How much of a string a code point takes. */
function unitsOf(point: number): number {
  return point > 0xffff ? 2 : 1;
}

/** A path as the tables hold it: without slashes at its ends; the root is empty. */
export function trimSlashes(path: string): string {
  return path.replace(/^\/+|\/+$/g, '');
}

/** Folder and last component; what stands in the root has the empty folder. */
export function splitPath(path: string): { directory: string; name: string } {
  const slash = path.lastIndexOf('/');
  return { directory: path.slice(0, Math.max(slash, 0)), name: path.slice(slash + 1) };
}

/** A path as people write it: absolute. */
export function joinPath(directory: string, name: string): string {
  return directory === '' ? `/${name}` : `/${directory}/${name}`;
}
