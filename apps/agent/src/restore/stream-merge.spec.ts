import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { compareArchivePaths, isWithin } from '#archive/archive-order.js';

import type { IndexItem } from '#archive/chain/index-merge.js';
import { mergeStreams } from './stream-merge.js';

const item = (image: number, text: string): IndexItem => {
  const [type, path] = text.split(' ') as [string, string];
  return { image, type, path, line: '' };
};

async function* given(
  items: readonly IndexItem[],
  size: number,
): AsyncGenerator<IndexItem[], void, undefined> {
  for (let at = 0; at < items.length; at += size) {
    yield await Promise.resolve(items.slice(at, at + size));
  }
}

async function merged(streams: readonly (readonly IndexItem[])[], size = 2): Promise<string[]> {
  const all: IndexItem[] = [];
  for await (const batch of mergeStreams(streams.map((items) => given(items, size)))) {
    all.push(...batch);
  }
  return all.map(({ image, type, path }) => `${image} ${type} ${path}`);
}

const streams = (...lists: string[][]) =>
  lists.map((texts, image) => texts.map((text) => item(image, text)));

describe('several streams', () => {
  it('come together in archive order', async () => {
    expect(await merged(streams(['d a', 'f a/1', 'f a/3'], ['d b', 'f b/1'], ['d a.b']))).toEqual([
      ...['0 d a', '0 f a/1', '0 f a/3', '2 d a.b', '1 d b', '1 f b/1'],
    ]);
  });

  it('rule over those in front where they have the same path, and take nothing from them', async () => {
    expect(await merged(streams(['d a', 'f a/1', 'f a/2'], ['d a', 'f a/2', 'f a/3']))).toEqual([
      ...['1 d a', '0 f a/1', '1 f a/2', '1 f a/3'],
    ]);
  });

  it('hide what others have below what is no folder, and only that', async () => {
    expect(await merged(streams(['d a', 'd a/x', 'f a/x/1', 'f a/x.y'], ['f a/x']))).toEqual([
      ...['0 d a', '1 f a/x', '0 f a/x.y'],
    ]);
    expect(await merged(streams(['f a'], ['d a', 'f a/1']))).toEqual(['1 d a', '1 f a/1']);
  });

  it('agree with the plain rule for every tree', async () => {
    const name = fc.constantFrom('a', 'b', 'a.b');
    const tree = fc
      .array(fc.tuple(fc.array(name, { minLength: 1, maxLength: 3 }), fc.boolean()))
      .map((entries) => treeOf(entries.map(([names, isFile]) => [names.join('/'), isFile])));
    await fc.assert(
      fc.asyncProperty(
        fc.array(tree, { maxLength: 4 }),
        fc.integer({ min: 1, max: 3 }),
        async (trees, size) => {
          const lists = trees.map((entries, image) =>
            [...entries]
              .sort(([a], [b]) => compareArchivePaths(a, b))
              .map(([path, type]) => ({ image, type, path, line: '' })),
          );
          const last = new Map(lists.flat().map((one) => [one.path, one]));
          const files = [...last.values()].filter(({ type }) => type !== 'd');
          const expected = [...last.values()]
            .filter(
              ({ path }) => !files.some((file) => file.path !== path && isWithin(path, file.path)),
            )
            .sort((a, b) => compareArchivePaths(a.path, b.path));
          expect(await merged(lists, size)).toEqual(
            expected.map(({ image, type, path }) => `${image} ${type} ${path}`),
          );
        },
      ),
    );
  });
});

/** Paths with everything on the way to them: what a walk could have found. */
function treeOf(entries: readonly (readonly [string, boolean])[]): Map<string, string> {
  const tree = new Map<string, string>();
  for (const [path, isFile] of entries) {
    const names = path.split('/');
    const above = names.slice(0, -1).map((_, at) => names.slice(0, at + 1).join('/'));
    const fits = above.every((folder) => (tree.get(folder) ?? 'd') === 'd');
    if (!fits || tree.has(path)) continue;
    for (const folder of above) tree.set(folder, 'd');
    tree.set(path, isFile ? 'f' : 'd');
  }
  return tree;
}
