import { describe, expect, it } from '@jest/globals';
import { SharedLook } from './shared-look.js';

const LONG_MS = 20;

/** Looks that end when the test says so. */
function looksOf() {
  const begun: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const look = () => new Promise<void>((resolve, reject) => void begun.push({ resolve, reject }));
  return { shared: new SharedLook(look, LONG_MS), begun };
}

const isOpen = async (look: Promise<unknown>) =>
  (await Promise.race([look, new Promise((resolve) => setTimeout(resolve, 1, 'open'))])) === 'open';

describe('A look that is shared', () => {
  it('is one, however many ask, and none of them gets what was seen before', async () => {
    const { shared, begun } = looksOf();
    const first = shared.take();
    const others = [shared.take(), shared.take()];
    expect(begun).toHaveLength(1);
    begun[0]!.resolve();
    await first;
    expect(await isOpen(Promise.race(others))).toBe(true);
    expect(begun).toHaveLength(2);
    const late = shared.take();
    begun[1]!.resolve();
    await Promise.all(others);
    expect(await isOpen(late)).toBe(true);
    begun[2]!.reject(new Error('away'));
    await expect(late).rejects.toThrow('away');
    await isOpen(late.catch(() => undefined));
    expect(begun).toHaveLength(3);
  });

  it('that hangs is not waited for by those who have no time, and goes on by itself', async () => {
    const { shared, begun } = looksOf();
    const patient = shared.take();
    expect(await Promise.all([shared.takeInTime(), shared.takeInTime()])).toEqual([false, false]);
    // Nobody else waits for what is known to hang.
    expect(await isOpen(shared.takeInTime())).toBe(false);
    expect(begun).toHaveLength(1);
    begun[0]!.resolve();
    await patient;
    const again = shared.takeInTime();
    await isOpen(again);
    expect(begun).toHaveLength(2);
    begun[1]!.resolve();
    expect(await again).toBe(true);
  });

  it('throws what it throws also at those who have no time', async () => {
    const { shared, begun } = looksOf();
    const look = shared.takeInTime();
    begun[0]!.reject(new Error('away'));
    await expect(look).rejects.toThrow('away');
  });
});
