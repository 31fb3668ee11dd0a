import { describe, expect, it } from '@jest/globals';
import { Unavailable } from '#kernel/errors.js';
import { Suspects } from './suspects.js';

function suspectsOf(isDown: (fragmentId: string, time: number) => boolean) {
  const told: string[] = [];
  const log: string[] = [];
  const catalog = {
    suspect: async (fragmentId: string) => {
      told.push(fragmentId);
      const time = told.filter((id) => id === fragmentId).length;
      if (isDown(fragmentId, time)) throw new Unavailable('did not answer in time.');
    },
  };
  return { suspects: new Suspects(catalog, (_, text) => void log.push(text)), told, log };
}

describe('suspect fragments', () => {
  it('are told of once each, however often they are met', async () => {
    const { suspects, told } = suspectsOf(() => false);
    expect(suspects.add('a', 'its digest is wrong')).toBe(true);
    await suspects.tell();
    expect(suspects.add('a', 'its digest is wrong')).toBe(false);
    suspects.add('b', 'it is short');
    await suspects.tell();
    await suspects.tellRest();
    expect(told).toEqual(['a', 'b']);
  });

  it('are all told of, though the first of them fails each time, and that one again at the end', async () => {
    const { suspects, told, log } = suspectsOf((fragmentId) => fragmentId === 'a');
    for (const each of ['a', 'b', 'c']) suspects.add(each, 'its digest is wrong');
    await suspects.tell();
    suspects.add('d', 'its digest is wrong');
    await suspects.tell();
    expect(told).toEqual(['a', 'b', 'c', 'd']);
    await suspects.tellRest();
    expect(told).toEqual(['a', 'b', 'c', 'd', 'a']);
    expect(log).toEqual(['fragment a was not checked: did not answer in time.']);
  });
});
