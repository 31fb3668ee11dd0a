import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { nanosecondTime } from '#archive/file-lines.js';
import { toFileView, type FileEntry } from './file-view.js';
import { joinPath, matcherOf, planFind, splitPath, toLike } from './glob.js';

describe('a search for files', () => {
  it('without a slash looks at the last component', () => {
    expect(planFind('passwd')).toEqual({ by: 'name', name: 'passwd' });
    expect(planFind('*.conf')).toEqual({ by: 'name-like', like: '%.conf' });
  });

  it('with a slash looks at the whole path', () => {
    expect(planFind('/etc/ssh/sshd_config')).toEqual({
      by: 'path',
      directory: 'etc/ssh',
      name: 'sshd_config',
    });
    expect(planFind('/etc')).toEqual({ by: 'path', directory: '', name: 'etc' });
    expect(planFind('/')).toEqual({ by: 'path', directory: '', name: '' });
  });

  it('knows which folders can hold a match, and the name where it is plain', () => {
    expect(planFind('etc/pass*')).toEqual({
      by: 'path-like',
      like: 'etc/pass%',
      directory: 'etc',
      directoryPrefix: 'etc/pass',
      name: undefined,
    });
    expect(planFind('/home/*/notes.txt')).toMatchObject({
      directory: 'home',
      directoryPrefix: 'home/',
      name: 'notes.txt',
    });
    expect(planFind('/*')).toMatchObject({ like: '%', directory: '', directoryPrefix: '' });
  });

  it('takes everything but its wildcards literally', () => {
    expect(toLike('100%_a\\\\b?*')).toBe('100\\%\\_a\\\\\\\\b_%');
  });
});

describe('an entry', () => {
  const isFound = (pattern: string, name: string) => matcherOf(planFind(pattern))('', name);

  it('is found by a pattern exactly where the wildcards can be filled', () => {
    // The grinning face takes two units of a string, and is one character.
    const letters = fc.constantFrom('a', 'b', '.', '%', '_', '\\', '\u{1f600}');
    const text = fc.array(letters, { maxLength: 8 });
    const glob = fc.array(fc.oneof(fc.constantFrom('*', '?'), letters), { maxLength: 6 });
    fc.assert(
      fc.property(glob, text, (pattern, name) => {
        expect(isFound(pattern.join(''), name.join(''))).toBe(canBeFilled(pattern, name));
      }),
      { numRuns: 3_000 },
    );
  });

  it('is looked at in no time, however many wildcards there are', () => {
    const name = 'a'.repeat(80);
    const began = performance.now();
    expect(isFound('*a*a*a*a*a*b', name)).toBe(false);
    expect(isFound('*a*a*a*a*a*b', `${name}b`)).toBe(true);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

/** By trying everything. */
function canBeFilled(pattern: readonly string[], text: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return text.length === 0;
  if (first === '*') {
    return [...text, ''].some((_, taken) => canBeFilled(rest, text.slice(taken)));
  }
  return (
    text.length > 0 && (first === '?' || first === text[0]) && canBeFilled(rest, text.slice(1))
  );
}

describe('a path', () => {
  it.each([
    ['', '', '', '/'],
    ['etc', '', 'etc', '/etc'],
    ['etc/ssh/x', 'etc/ssh', 'x', '/etc/ssh/x'],
  ])('"%s" is folder "%s" and name "%s"', (path, directory, name, shown) => {
    expect(splitPath(path)).toEqual({ directory, name });
    expect(joinPath(directory, name)).toBe(shown);
  });
});

describe('a file as people see it', () => {
  const entry: FileEntry = {
    ...{ imageId: 'w_1', directory: 'etc', name: 'x', type: 'f', size: 1, mode: 0o4755 },
    ...{ mtimeNs: '1700000000000000001', uid: 0, gid: 0, extra: '' },
  };

  it('has its time in nanoseconds and its mode in octal', () => {
    expect(toFileView(entry)).toMatchObject({
      path: '/etc/x',
      mtime: '2023-11-14T22:13:20.000000001Z',
      mode: '4755',
    });
    expect(nanosecondTime('-1')).toBe('1969-12-31T23:59:59.999999999Z');
    expect(nanosecondTime('9000000000000000000')).toBe('2255-03-14T16:00:00.000000000Z');
  });

  it('has a target where it is a link', () => {
    expect(toFileView({ ...entry, type: 'l', extra: '../y z' }).target).toBe('../y z');
    expect(toFileView({ ...entry, type: 'h', extra: 'etc/y z' }).target).toBe('/etc/y z');
    expect(toFileView({ ...entry, type: 'c', extra: '1,5' }).target).toBe('');
  });
});
