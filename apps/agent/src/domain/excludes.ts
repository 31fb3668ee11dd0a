import picomatch from 'picomatch';

import { isAscii, type ByteString } from '#archive/path-text.js';

/** Whether an entry is left out. `isFolder` undefined: not known yet, so folder patterns wait. */
export type ExcludeTest = (
  path: ByteString,
  name: ByteString,
  isFolder: boolean | undefined,
) => boolean;

interface Pattern {
  readonly foldersOnly: boolean;
  readonly onName: boolean;
  readonly glob: string;
}

/**
 * Makes one test of all the patterns: picomatch globs, `*` matching names that begin with a dot, too. A pattern
 * without a slash is held against the name; one that begins with a slash against the absolute
 * path; any other matches at every depth. A slash at the end: folders only. Characters are
 * UTF-8's, as in the policy.
 */
export function excludeTest(patterns: readonly string[]): ExcludeTest {
  const parsed = patterns.filter((pattern) => pattern !== '').map(parse);
  const forAll = matcher(parsed.filter((pattern) => !pattern.foldersOnly));
  const forFolders = matcher(parsed.filter((pattern) => pattern.foldersOnly));
  if (parsed.length === 0) return () => false;
  return (path, name, isFolder) => {
    if (isFolder !== true) return forAll(text(path), text(name));
    return forAll(text(path), text(name)) || forFolders(text(path), text(name));
  };
}

function parse(pattern: string): Pattern {
  const foldersOnly = pattern.length > 1 && pattern.endsWith('/');
  const body = foldersOnly ? pattern.slice(0, -1) : pattern;
  const onName = !body.includes('/');
  const anchored = onName || body.startsWith('/') || body.startsWith('**/');
  return { foldersOnly, onName, glob: anchored ? body : `**/${body}` };
}

function matcher(patterns: readonly Pattern[]): (path: string, name: string) => boolean {
  const literal = patterns.filter(({ glob }) => !/[*?[\](){}!+@\\|]/.test(glob));
  const names = new Set(literal.filter((pattern) => pattern.onName).map(({ glob }) => glob));
  const paths = new Set(literal.filter((pattern) => !pattern.onName).map(({ glob }) => glob));
  const globs = patterns.filter((pattern) => !literal.includes(pattern));
  const onName = compile(globs.filter((pattern) => pattern.onName));
  const onPath = compile(globs.filter((pattern) => !pattern.onName));
  return (path, name) => names.has(name) || paths.has(path) || onName(name) || onPath(path);
}

function compile(patterns: readonly Pattern[]): (text: string) => boolean {
  if (patterns.length === 0) return () => false;
  return picomatch(
    patterns.map(({ glob }) => glob),
    { dot: true },
  );
}

function text(path: ByteString): string {
  return isAscii(path) ? path : Buffer.from(path, 'latin1').toString('utf8');
}
