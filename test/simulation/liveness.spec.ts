import { expect, it } from '@jest/globals';
import { failuresOf, range } from './run-many.js';

it('A thousand clusters that were troubled come to an end of everything that was open', async () => {
  expect(await failuresOf(range(1_001, 1_000), 'liveness')).toEqual([]);
});
