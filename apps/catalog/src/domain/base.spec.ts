import { describe, expect, it } from '@jest/globals';
import { CHAIN_IMAGES_MAX } from '#contracts/task.js';
import { chooseBase, freeBackupTime, selectionSet } from './base.js';
import { expiryOf } from './retention.js';

const full = { imageId: 'web1_1', chainLength: 1, hasWholeChain: true };
const later = { imageId: 'web1_5', chainLength: 3, hasWholeChain: true };

describe('the base of a backup', () => {
  it('is the last of any kind for a differential', () => {
    const choice = chooseBase('differential', { any: later, full });
    expect(choice).toEqual({ kind: 'differential', base: later });
  });

  it('is the last full for a cumulative', () => {
    expect(chooseBase('cumulative', { any: later, full })).toEqual({
      kind: 'cumulative',
      base: full,
    });
  });

  it('is none for a full', () => {
    expect(chooseBase('full', { any: later, full })).toEqual({ kind: 'full', base: undefined });
  });

  it.each(['differential', 'cumulative'] as const)(
    'makes a %s a full where it is missing',
    (kind) => {
      const none = { any: undefined, full: undefined };
      expect(chooseBase(kind, none)).toEqual({ kind: 'full', base: undefined });
    },
  );

  it('begins anew before a chain is longer than a restore can take', () => {
    const long = { ...later, chainLength: CHAIN_IMAGES_MAX };
    expect(chooseBase('differential', { any: long, full }).kind).toBe('full');
    const nearly = { ...long, chainLength: CHAIN_IMAGES_MAX - 1 };
    expect(chooseBase('differential', { any: nearly, full }).kind).toBe('differential');
  });

  it('begins anew where something is missing that the last one builds on, and names that one', () => {
    const any = { ...later, hasWholeChain: false };
    const anew = { kind: 'full', base: undefined, brokenBase: 'web1_5' };
    expect(chooseBase('differential', { any, full })).toEqual(anew);
    expect(chooseBase('cumulative', { any, full })).toMatchObject({ base: full });
  });
});

describe('what an image is begun with', () => {
  it('has the first second that is free', () => {
    expect(freeBackupTime(10, [])).toBe(10);
    expect(freeBackupTime(10, [9, 12, 10, 11, 14])).toBe(13);
  });

  it('has the same set for the same selections in any order', () => {
    expect(selectionSet(['/b', '/a', '/b'])).toEqual(selectionSet(['/a', '/b']));
  });

  it('expires a retention after its backup time', () => {
    expect(expiryOf(1_700_000_000, '2w')?.toISOString()).toBe('2023-11-28T22:13:20.000Z');
    expect(expiryOf(1_700_000_000, 'infinite')).toBeNull();
    expect(() => expiryOf(0, 'forever')).toThrow('"forever" is no retention');
  });
});
