import { describe, expect, it } from '@jest/globals';

import { excludeTest } from './excludes.js';

const bytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

function excluded(pattern: string, path: string, isFolder = false): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return excludeTest([pattern])(bytes(path), bytes(name), isFolder);
}

describe('excludes', () => {
  it.each([
    ['*.tmp', '/a/b/x.tmp', true],
    ['*.tmp', '/a/b.tmp/x', false],
    ['.cache', '/home/u/.cache', true],
    ['*', '/a/.hidden', true],
    ['/a/*.log', '/a/x.log', true],
    ['/a/*.log', '/a/b/x.log', false],
    ['/a/**', '/a/b/c', true],
    ['/a/b', '/a/b', true],
    ['/a/b', '/a/b/c', false],
    ['b/c', '/a/b/c', true],
    ['**/b/?', '/a/b/c', true],
    ['größe-?', '/a/größe-ß', true],
    ['[ab].txt', '/x/b.txt', true],
    ['{a,b}.txt', '/x/c.txt', false],
  ])('%s holds against %s: %s', (pattern, path, expected) => {
    expect(excluded(pattern, path)).toBe(expected);
  });

  it('with a slash at the end mean folders only', () => {
    expect(excluded('build/', '/a/build', true)).toBe(true);
    expect(excluded('build/', '/a/build', false)).toBe(false);
  });

  it('none leave nothing out', () => {
    expect(excludeTest([])('/a', 'a', true)).toBe(false);
  });
});
