import { describe, expect, it } from '@jest/globals';
import { FragmentChecks } from './fragment-checks.js';
import type { CheckedFragment } from './fragment-check.js';
import type { Holding } from './holdings.js';

const WHOLE: CheckedFragment = { bytes: 'whole', reason: '' };
const holdingOf = (fragmentId: string, volumeId = 'one') =>
  ({ fragmentId, volume: { volumeId } }) as Holding;

/** Checks that end when the test says so. */
function checksOf(answerMs: number, keptMs = 60_000) {
  const begun: {
    id: string;
    resolve: (found: CheckedFragment) => void;
    reject: (error: Error) => void;
  }[] = [];
  const check = ({ fragmentId: id }: Holding) =>
    new Promise<CheckedFragment>((resolve, reject) => begun.push({ id, resolve, reject }));
  return { checks: new FragmentChecks({ check, answerMs, keptMs }), begun };
}

describe('the checks of a media server', () => {
  it('say in time that they are not done, and go on with the same one when asked again', async () => {
    const { checks, begun } = checksOf(20);
    expect(await checks.look(holdingOf('a'))).toBeUndefined();
    expect(await checks.look(holdingOf('a'))).toBeUndefined();
    expect(begun).toHaveLength(1);
    begun[0]!.resolve(WHOLE);
    expect(await checks.look(holdingOf('a'))).toEqual(WHOLE);
    // What was heard is not said again: the next one reads it anew.
    void checks.look(holdingOf('a'));
    expect(begun).toHaveLength(2);
  });

  it('are one for all who ask meanwhile, also where it fails, and two at once', async () => {
    const { checks, begun } = checksOf(5_000);
    const asked = ['a', 'a', 'b', 'c'].map((id) => checks.look(holdingOf(id)).catch(String));
    await Promise.resolve();
    expect(begun.map(({ id }) => id)).toEqual(['a', 'b']);
    begun[0]!.reject(new Error('no disk'));
    begun[1]!.resolve(WHOLE);
    expect(await Promise.all(asked.slice(0, 3))).toEqual([
      'Error: no disk',
      'Error: no disk',
      WHOLE,
    ]);
    expect(begun.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    begun[2]!.resolve(WHOLE);
    expect(await asked[3]).toEqual(WHOLE);
  });

  it('are forgotten when nobody asks for what they found', async () => {
    const { checks, begun } = checksOf(10, 10);
    expect(await checks.look(holdingOf('a'))).toBeUndefined();
    begun[0]!.resolve(WHOLE);
    await new Promise((resolve) => setTimeout(resolve, 50));
    void checks.look(holdingOf('a'));
    expect(begun).toHaveLength(2);
  });
});
