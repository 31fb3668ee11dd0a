import { expect, it } from '@jest/globals';

import { hopeless, isSafePath, reasonOf } from './not-restored.js';

it('tells paths that stay below the destination from those that might not', () => {
  for (const path of ['', 'a', 'a/b', '...', '.a', 'a.', 'a/..b/c', ' ', '-', 'a\nb', '\xff']) {
    expect([path, isSafePath(path)]).toEqual([path, true]);
  }
  for (const path of [
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    './a',
    '../a',
    'a/..',
    'a/../b',
    'a/./b',
    'a\0b',
  ]) {
    expect([path, isSafePath(path)]).toEqual([path, false]);
  }
});

it('gives up only for what will not pass', () => {
  const error = (code: string) => Object.assign(new Error('failed'), { code });
  expect(hopeless(error('ENOSPC'))).toBe('the destination is full');
  expect(hopeless(error('EACCES'))).toBeUndefined();
  expect(reasonOf(error('EACCES'))).toBe('permission denied');
  expect(reasonOf(new Error('plain words'))).toBe('plain words');
});
