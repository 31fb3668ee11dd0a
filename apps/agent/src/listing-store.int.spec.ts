import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { removeFolder, temporaryFolder } from '../../../test/support/temporary-folder.js';
import { ListingStore } from './listing-store.js';

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => removeFolder(folder));

describe('what failed backups have left', () => {
  const leave = (image: string, age: number): void => {
    for (const end of ['part', 'resume']) {
      const path = `${folder}/listings/daily/${image}.tsv.${end}`;
      writeFileSync(path, '');
      utimesSync(path, 1_000_000 - age, 1_000_000 - age);
    }
  };

  it('is kept for the last few and for those that run; listings are left alone', async () => {
    const store = new ListingStore(folder);
    store.clearUp('daily', []); // there is nothing yet
    mkdirSync(`${folder}/listings/daily`, { recursive: true });
    for (let at = 1; at <= 8; at++) leave(`web1_${at}`, at);
    writeFileSync(`${folder}/listings/daily/web1_9.tsv`, '');
    store.clearUp('daily', ['web1_8']);
    const left = readdirSync(`${folder}/listings/daily`).sort();
    expect(left).toEqual(
      [1, 2, 3, 4, 8]
        .flatMap((at) => [`web1_${at}.tsv.part`, `web1_${at}.tsv.resume`])
        .concat('web1_9.tsv'),
    );
    await store.keep('daily', 'web1_8', ['web1_9']);
    expect(readdirSync(`${folder}/listings/daily`).filter((name) => /_[89]/.test(name))).toEqual([
      'web1_8.tsv',
      'web1_9.tsv',
    ]);
  });
});

it('keeps the listings of streams that began later, and drops what is older and not needed', async () => {
  const store = new ListingStore(folder);
  mkdirSync(`${folder}/listings/streams`, { recursive: true });
  for (const image of ['web1_10', 'web1_11', 'web1_30']) {
    writeFileSync(`${folder}/listings/streams/${image}.tsv`, '');
  }
  writeFileSync(`${folder}/listings/streams/web1_20.tsv.part`, '');
  // Image 30 is another stream's, which was faster, and of which nobody knew when image 20 began.
  await store.keep('streams', 'web1_20', ['web1_11']);
  expect(readdirSync(`${folder}/listings/streams`).sort()).toEqual(
    [11, 20, 30].map((at) => `web1_${at}.tsv`),
  );
});

it('drops policies that no backup has used for a long time, and none that one uses now', () => {
  const store = new ListingStore(`${folder}/unused`);
  const day = (nth: number) => new Date(nth * 24 * 3_600_000);
  for (const policy of ['deleted', 'quarterly', 'yearly', 'daily']) {
    const path = store.pathFor(policy, 'web1_1');
    writeFileSync(path, '');
    utimesSync(dirname(path), day(0), day(policy === 'quarterly' ? 18 : 10));
  }
  store.use('daily', day(110));
  store.dropUnused(day(110));
  expect(readdirSync(`${folder}/unused/listings`)).toHaveLength(4);
  store.use('yearly', day(111));
  store.dropUnused(day(111));
  expect(readdirSync(`${folder}/unused/listings`).sort()).toEqual(['daily', 'quarterly', 'yearly']);
  expect(store.find('yearly', 'web1_1')).toBeDefined();
});
