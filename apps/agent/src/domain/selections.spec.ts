import { describe, expect, it } from '@jest/globals';

import { selectionTrees } from './selections.js';

describe('selections', () => {
  it('come in archive order, each once, nested ones inside the outer', () => {
    const trees = selectionTrees(['/b', '/a.b', '/a/c/', '/a', '//a//c/./d', '/b/']);
    expect(trees).toEqual([
      {
        path: '/a',
        follow: false,
        inner: [
          { path: '/a/c', follow: true },
          { path: '/a/c/d', follow: false },
        ],
      },
      { path: '/a.b', follow: false, inner: [] },
      { path: '/b', follow: true, inner: [] },
    ]);
  });

  it('may be everything', () => {
    const [everything] = selectionTrees(['/home', '/']);
    expect(everything).toEqual({
      path: '/',
      follow: true,
      inner: [{ path: '/home', follow: false }],
    });
  });

  it('are absolute', () => {
    expect(() => selectionTrees(['a'])).toThrow(/"a" is not an absolute path/);
    expect(() => selectionTrees(['/a\0'])).toThrow(/not an absolute path/);
  });
});
