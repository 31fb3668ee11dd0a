import { describe, expect, it } from '@jest/globals';

import { commandPaths, isAtLeast } from './server-binary.js';

describe('versions', () => {
  it.each([
    ['2.10.27', '2.10', true],
    ['2.9.10', '2.10', false],
    ['2.10', '2.10.1', false],
    ['3.0', '2.10', true],
    ['15.18', '15', true],
    ['14.9', '15', false],
  ])('%s against %s', (version, wanted, result) => {
    expect(isAtLeast(version, wanted)).toBe(result);
  });
});

describe('where a command could be', () => {
  it('is the PATH, then the folders for servers, which an ordinary PATH lacks', () => {
    expect(commandPaths('x', { PATH: '/a:relative::/usr/sbin' })).toEqual([
      '/a/x',
      '/usr/sbin/x',
      '/usr/local/sbin/x',
    ]);
  });
});
