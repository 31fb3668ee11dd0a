import { expect, it } from '@jest/globals';
import { catalogImages } from '#contracts/image.js';
import { useCatalog } from './testing/use-catalog.js';

const { maker } = await useCatalog();

it('images are listed in as many answers as they need, where their selections are long', async () => {
  const client = 'long1';
  const selections = Array.from({ length: 400 }, (_, at) => `/srv/${'long'.repeat(60)}/${at}`);
  const made: string[] = [];
  for (let number = 0; number < 12; number += 1) {
    made.unshift((await maker.begin({ client, selections })).imageId);
  }
  const found: string[] = [];
  const sizes: number[] = [];
  for (let more = true; more;) {
    const page = { client, before: found.at(-1), limit: 1_000 };
    const answer = await maker.operator.call(catalogImages, page);
    found.push(...answer.images.map(({ imageId }) => imageId));
    sizes.push(answer.images.length);
    ({ more } = answer);
  }
  expect(found).toEqual(made);
  expect(sizes.length).toBeGreaterThan(1);
  const { images, more } = await maker.operator.call(catalogImages, { client, limit: 2 });
  expect([images.length, more]).toEqual([2, true]);
});
