import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

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
    ['/a/b', '/c/b', false],
    ['/größe/ß', '/größe/ß', true],
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

  it.each([
    ['/a/**', '/a', false],
    ['/a/**', '/a/b', true],
    ['/**', '/', false],
    ['/**', '/a', true],
    ['/**', '/a/b', true],
    ['/**/', '/', false],
    ['/**/*', '/', false],
    ['**/*', '/', false],
    ['/*', '/', false],
    ['**', '/', false],
    ['/', '/', true],
    ['/**/b', '/b', true],
    ['/**/b', '/a/c/b', true],
    ['b/**', '/a/b/c/d', true],
    ['b/**', '/a/b', false],
    ['!(keep)', '/a/other', true],
    ['!(keep)', '/a/keep', false],
    ['\\!x', '/a/!x', true],
  ])('%s holds against %s: %s', (pattern, path, expected) => {
    expect(excluded(pattern, path)).toBe(expected);
  });

  it('are taken back by a later one with "!", and left out again by one behind that', () => {
    const test = excludeTest(['*.log', '!keep.log', '/tmp/keep.log']);
    const out = (path: string) => test(path, path.slice(path.lastIndexOf('/') + 1), false);
    expect(['/a/x.log', '/a/keep.log', '/tmp/keep.log'].map(out)).toEqual([true, false, true]);
    expect(excludeTest(['!keep', 'keep'])('/keep', 'keep', false)).toBe(true);
    expect(excludeTest(['!'])('/!', '!', false)).toBe(false);
  });

  it('that only folders are taken back from wait until it is known what it is', () => {
    const test = excludeTest(['build', '!build/']);
    expect(test.filesWait).toBe(true);
    expect(test('/a/build', 'build', undefined)).toBe(false);
    expect(test('/a/build', 'build', false)).toBe(true);
    expect(test('/a/build', 'build', true)).toBe(false);
    expect(excludeTest(['build/', '!build']).filesWait).toBe(false);
  });

  it('leave out before it is known what it is only what they leave out either way', () => {
    const pattern = fc.constantFrom('a', '!a', 'a/', '!a/', '/x/*', '!/x/a', '!/x/*/', '**/a');
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 6 }), fc.constantFrom('a', 'b'), (all, name) => {
        const test = excludeTest(all);
        const [file, folder] = [false, true].map((kind) => test(`/x/${name}`, name, kind));
        const early = test(`/x/${name}`, name, undefined);
        if (early) expect([file, folder]).toEqual([true, true]);
        // The walk asks again about folders, and about files where it is told to.
        else if (!test.filesWait) expect(file).toBe(false);
      }),
    );
  });

  it('none leave nothing out', () => {
    expect(excludeTest([])('/a', 'a', true)).toBe(false);
  });
});
