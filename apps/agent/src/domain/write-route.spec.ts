import { describe, expect, it } from '@jest/globals';
import { QuickerRoute, type WriteRoute } from './write-route.js';

/** The routes of so many slices, where each takes as long as it says. */
function routes(count: number, took: (route: WriteRoute, slice: number) => number): WriteRoute[] {
  const quicker = new QuickerRoute();
  return Array.from({ length: count }, (_, slice) => {
    const { route } = quicker;
    quicker.slice(took(route, slice));
    return route;
  });
}

const share = (of: readonly WriteRoute[], route: WriteRoute) =>
  of.filter((one) => one === route).length / of.length;

describe('the quicker way of writing', () => {
  it('begins with the page cache, and tries the other one next', () => {
    expect(routes(2, () => 10)).toEqual(['cached', 'direct']);
  });

  it.each([
    ['direct', { cached: 20, direct: 5 }],
    ['cached', { cached: 5, direct: 20 }],
  ] as const)('is %s where that takes less, but for a trial now and then', (route, took) => {
    expect(share(routes(320, (taken) => took[taken]).slice(2), route)).toBeCloseTo(15 / 16, 1);
  });

  it.each(['cached', 'direct'] as const)(
    'is found again when %s becomes the slower one',
    (slow) => {
      const found = routes(200, (route, slice) => (slice < 100 === (route === slow) ? 5 : 20));
      expect(share(found.slice(10, 100), slow)).toBeGreaterThan(0.9);
      expect(share(found.slice(120), slow)).toBeLessThan(0.1);
    },
  );
});
