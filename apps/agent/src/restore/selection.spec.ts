import { describe, expect, it } from '@jest/globals';

import { Selection } from './selection.js';

const PATHS = ['', 'a', 'a/b', 'a/b/c', 'a.b', 'a0', 'd', 'd/e', 'd/e/f', 'd/e0'];
const verdicts = (...paths: string[]): string[] => {
  const selection = new Selection(paths);
  return PATHS.map((path) => `${selection.verdict(path)[0]}`);
};

describe('a selection', () => {
  it('is everything when nothing is given, or the root', () => {
    expect(verdicts()).toEqual(PATHS.map(() => 's'));
    expect(verdicts('/')).toEqual(PATHS.map(() => 's'));
  });

  it('is a path with all below it, and knows the folders on the way', () => {
    expect(verdicts('a/b')).toEqual(['p', 'p', 's', 's', 'n', 'n', 'n', 'n', 'n', 'n']);
    expect(verdicts('/d/e/')).toEqual(['p', 'n', 'n', 'n', 'n', 'n', 'p', 's', 's', 'n']);
  });

  it('takes several paths in any order, one within another', () => {
    expect(verdicts('d/e', 'a', 'a/b/c')).toEqual([
      'p',
      's',
      's',
      's',
      'n',
      'n',
      'p',
      's',
      's',
      'n',
    ]);
  });

  it('tells what was not found, nested paths too', () => {
    const selection = new Selection(['/a', 'a/b', 'a/x', 'none', 'd\\x2fe']);
    for (const path of PATHS) selection.verdict(path);
    expect(selection.notFound()).toEqual(['a/x', 'none']);
  });

  it('knows when no later path can be selected', () => {
    const selection = new Selection(['a/b']);
    selection.verdict('a/b/c');
    expect(selection.exhausted).toBe(false);
    selection.verdict('a.b');
    expect(selection.exhausted).toBe(true);
    selection.rewind();
    expect(selection.verdict('a')).toBe('parent');
  });

  it('refuses what is no path text', () => {
    expect(() => new Selection(['a\\b'])).toThrow('is not a path text');
  });
});
