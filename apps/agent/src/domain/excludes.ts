import picomatch from 'picomatch';

import { isAscii, type ByteString } from '#archive/path-text.js';

/** Whether an entry is left out. */
export interface ExcludeTest {
  /** `isFolder` undefined: not known yet. True then only if it is left out either way. */
  (path: ByteString, name: ByteString, isFolder: boolean | undefined): boolean;
  /** What was let through while it was not known must be asked about again, also where it is no folder. */
  readonly filesWait: boolean;
}

interface Pattern {
  /** It takes back what an earlier one leaves out. */
  readonly takesBack: boolean;
  readonly foldersOnly: boolean;
  readonly onName: boolean;
  readonly glob: string;
}

type Match = (path: ByteString, name: ByteString) => boolean;

/** Patterns that follow each other and do the same. */
interface Rule {
  readonly takesBack: boolean;
  readonly forAll: Match;
  readonly forFolders: Match;
}

/**
 * Makes one test of all the patterns, of which the last one that fits decides: picomatch globs, `*` matching names that
 * begin with a dot, too. A pattern without a slash is held against the name; one that begins with a slash against the
 * absolute path; any other matches at every depth. A slash at the end: folders only. `!` in front takes back what patterns
 * before it leave out; what a folder holds that is left out is not looked at, so nothing in it comes back. Characters are
 * UTF-8's, as in the policy. docs/formats.md has examples.
 */
export function excludeTest(patterns: readonly string[]): ExcludeTest {
  const parsed = patterns.map(parse).filter(({ glob }) => glob !== '');
  const rules = rulesOf(parsed).reverse();
  const filesWait = parsed.some(({ takesBack, foldersOnly }) => takesBack && foldersOnly);
  const isOut = (path: ByteString, name: ByteString, isFolder: boolean): boolean => {
    const last = rules.find(
      ({ forAll, forFolders }) => forAll(path, name) || (isFolder && forFolders(path, name)),
    );
    return last !== undefined && !last.takesBack;
  };
  const test = (path: ByteString, name: ByteString, isFolder: boolean | undefined): boolean => {
    if (rules.length === 0) return false;
    if (isFolder !== undefined) return isOut(path, name, isFolder);
    return isOut(path, name, false) && (!filesWait || isOut(path, name, true));
  };
  return Object.assign(test, { filesWait });
}

function parse(pattern: string): Pattern {
  // `!(a|b)` is a glob: anything but these.
  const takesBack = pattern.startsWith('!') && !pattern.startsWith('!(');
  const given = takesBack ? pattern.slice(1) : pattern;
  const foldersOnly = given.length > 1 && given.endsWith('/');
  const body = foldersOnly ? given.slice(0, -1) : given;
  const onName = !body.includes('/');
  return { takesBack, foldersOnly, onName, glob: onName ? body : pathGlob(body) };
}

function pathGlob(body: string): string {
  // To picomatch, `/**` at the end is the folder itself, too, and `/**/` in front is no folder less.
  const glob = body.endsWith('/**') ? `${body}/*` : body;
  if (glob.startsWith('/**/')) return glob.slice(1);
  return glob.startsWith('/') || glob.startsWith('**/') ? glob : `**/${glob}`;
}

function rulesOf(patterns: readonly Pattern[]): Rule[] {
  const runs: Pattern[][] = [];
  for (const pattern of patterns) {
    const run = runs.at(-1);
    if (run?.[0]!.takesBack === pattern.takesBack) run.push(pattern);
    else runs.push([pattern]);
  }
  return runs.map((run) => ({
    takesBack: run[0]!.takesBack,
    forAll: matcher(run.filter((pattern) => !pattern.foldersOnly)),
    forFolders: matcher(run.filter((pattern) => pattern.foldersOnly)),
  }));
}

/**
 * Asked for every entry of a client, so it looks at names first, and at a path only where that may matter; and it makes
 * text of either only where a glob wants it.
 */
function matcher(patterns: readonly Pattern[]): Match {
  const literal = patterns.filter(({ glob }) => !/[*?[\](){}!+@\\|]/.test(glob));
  const names = new Set(literal.filter((pattern) => pattern.onName).map(bytesOf));
  const paths = new Set(literal.filter((pattern) => !pattern.onName).map(bytesOf));
  const namesOfPaths = new Set([...paths].map((path) => path.slice(path.lastIndexOf('/') + 1)));
  const globs = patterns.filter((pattern) => !literal.includes(pattern));
  const onName = compile(globs.filter((pattern) => pattern.onName));
  const onPath = compile(globs.filter((pattern) => !pattern.onName));
  return (path, name) =>
    names.has(name) ||
    onName?.(text(name)) === true ||
    (namesOfPaths.has(name) && paths.has(path)) ||
    // To picomatch, `**/*` is `/`, too, which no glob means.
    (name !== '' && onPath?.(text(path)) === true);
}

function compile(patterns: readonly Pattern[]): ((text: string) => boolean) | undefined {
  if (patterns.length === 0) return undefined;
  return picomatch(
    patterns.map(({ glob }) => glob),
    { dot: true },
  );
}

/** What names and paths are compared with that are no text yet. */
function bytesOf({ glob }: Pattern): ByteString {
  return isAscii(glob) ? glob : Buffer.from(glob, 'utf8').toString('latin1');
}

function text(path: ByteString): string {
  return isAscii(path) ? path : Buffer.from(path, 'latin1').toString('utf8');
}
