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
      const pattern = likeExpression(plan.like);
      return (_, name) => pattern.test(name);
    }
    case 'path-like': {
      const pattern = likeExpression(plan.like);
      return (directory, name) =>
        (plan.name === undefined || name === plan.name) &&
        pattern.test(directory === '' ? name : `${directory}/${name}`);
    }
    default:
      return plan satisfies never;
  }
}

/** A LIKE pattern as a regular expression. */
function likeExpression(like: string): RegExp {
  const source = like.replace(/\\(.)|%|_|[^\w%]/gsu, (piece, escaped?: string) => {
    if (escaped !== undefined) return `\\u{${escaped.codePointAt(0)!.toString(16)}}`;
    if (piece === '%') return '.*';
    return piece === '_' ? '.' : `\\u{${piece.codePointAt(0)!.toString(16)}}`;
  });
  return new RegExp(`^${source}$`, 'su');
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
