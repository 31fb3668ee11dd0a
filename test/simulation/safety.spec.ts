import { expect, it } from '@jest/globals';
import { failuresOf, range } from './run-many.js';

it('A thousand clusters keep I1 to I7 at every step, whatever happens to them', async () => {
  expect(await failuresOf(range(1, 1_000), 'safety')).toEqual([]);
});
