import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CorruptIndex } from '../../domain/files/corrupt-index.js';
import type { IndexRecord } from '../../domain/files/index-record.js';
import { readNode, type TreeBlock, type TreeRoot } from '../../domain/files/tree-block.js';
import { compareText, directoryRange, entryRange } from '../../domain/files/tree-key.js';
import { TreeSearch } from '../../domain/files/tree-search.js';
import { TreeLoad } from './tree-load.js';

class Blocks {
  readonly texts = new Map<string, string>();
  reads = 0;

  read(digests: readonly string[]): Promise<ReadonlyMap<string, string>> {
    this.reads += digests.length;
    return Promise.resolve(new Map(digests.map((digest) => [digest, this.texts.get(digest)!])));
  }

  put({ digest, text }: TreeBlock): void {
    this.texts.set(digest, text);
  }
}

function record(path: string, size = 1): IndexRecord {
  const slash = path.lastIndexOf('/');
  return {
    ...{ type: 'f', directory: path.slice(0, Math.max(slash, 0)), name: path.slice(slash + 1) },
    ...{ size: String(size), mtimeNs: '1700000000123456789', mode: 0o644, uid: '0', gid: '0' },
    ...{ offset: '0', length: '512', flags: '', extra: '' },
  };
}

/** Trees of entries as they come: one, or more where the order is broken or a folder is large. */
async function build(
  records: readonly IndexRecord[],
  blocks: Blocks,
  linesMax?: number,
): Promise<readonly TreeRoot[]> {
  const load = new TreeLoad((some) => {
    for (const block of some) blocks.put(block);
    return Promise.resolve();
  }, linesMax);
  for (let from = 0; from < records.length; from += 10) {
    await load.write(records.slice(from, from + 10));
  }
  return load.finish();
}

/** By components, as archives are ordered. */
function inArchiveOrder(paths: readonly string[]): string[] {
  const key = (path: string) => path.replaceAll('/', '\u0001');
  return [...paths].sort((a, b) => compareText(key(a), key(b)));
}

function directoryOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

const component = fc.constantFrom(
  'a',
  'a-',
  'a.b',
  'b',
  'é',
  '\u{1f600}',
  '\uffee',
  '\\x01',
  'Z',
  '~',
);
const path = fc
  .array(component, { minLength: 1, maxLength: 5 })
  .map((components) => components.join('/'));

/** `folders` times `files` paths, in archive order. */
function paths(folders: number, files: number): string[] {
  return Array.from({ length: folders }, (_, folder) =>
    Array.from({ length: files }, (__, file) => `srv/folder-${folder}/file-${file}`),
  ).flat();
}

describe('a file tree', () => {
  it('gives for every folder and every entry what was put in, whatever the order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(path, { maxLength: 60 }),
        fc.boolean(),
        fc.constantFrom(1, 2, 5, undefined),
        async (some, isSorted, linesMax) => {
          const blocks = new Blocks();
          const all = isSorted ? inArchiveOrder(some) : some;
          const trees = await build(
            all.map((each) => record(each)),
            blocks,
            linesMax,
          );
          if (isSorted && linesMax === undefined)
            expect(trees).toHaveLength(Math.min(some.length, 1));
          const folders = new Set([...some.map(directoryOf), '', 'a', 'a/b', 'zz']);
          for (const folder of folders) {
            const search = new TreeSearch(blocks, [directoryRange(folder)]);
            const found = (await search.of(trees))!.flat().map(({ name }) => name);
            const own = all.filter((each) => directoryOf(each) === folder);
            const names = own.map((each) => each.slice(each.lastIndexOf('/') + 1));
            expect(found.sort(compareText)).toEqual(names.sort(compareText));
          }
          const wanted = [...some.slice(0, 5), 'a/none'];
          const ranges = wanted.map((each) => {
            const { directory, name } = record(each);
            return entryRange(directory, name);
          });
          const found = (await new TreeSearch(blocks, ranges).of(trees))!.flat();
          const foundPaths = found.map(({ directory, name }) =>
            directory === '' ? name : `${directory}/${name}`,
          );
          expect(foundPaths.sort()).toEqual(wanted.filter((each) => some.includes(each)).sort());
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is found in, and gone through from any place, without reading all of it', async () => {
    const blocks = new Blocks();
    const trees = await build(
      inArchiveOrder(paths(3_000, 8)).map((each) => record(each)),
      blocks,
    );
    expect(trees).toHaveLength(1);
    expect(trees[0]).toMatchObject({ entries: 24_000 });
    const height = trees[0]!.height;
    expect(height).toBeGreaterThan(0);
    const found = await new TreeSearch(blocks, [entryRange('srv/folder-77', 'file-3')]).of(trees);
    expect(found!.flat()).toHaveLength(1);
    // One on each level, and where the key lies just at an end its neighbours.
    expect(blocks.reads).toBeLessThanOrEqual(height + 2);
    const whole: string[] = [];
    const all = { from: '', to: '\u{10ffff}' };
    for await (const { key } of new TreeSearch(blocks, [all]).stream(trees[0]!)) whole.push(key);
    expect(whole).toHaveLength(24_000);
    expect(whole).toEqual([...whole].sort(compareText));
    expect(await new TreeSearch(blocks, [all]).of(trees, 20)).toBeUndefined();
  });

  it('of a folder of very many entries is cut, and gone on with behind any of them', async () => {
    const blocks = new Blocks();
    const trees = await build(
      inArchiveOrder(paths(1, 5_000)).map((each) => record(each)),
      blocks,
    );
    expect(blocks.texts.size).toBeGreaterThan(50);
    const search = new TreeSearch(blocks, [directoryRange('srv/folder-0', 'file-4998')]);
    const [first, second] = (await search.of(trees))!.flat();
    expect([first!.name, second!.name]).toEqual(['file-4999', 'file-5']);
  });

  it('shares all blocks with an equal one, and most with one that differs a little', async () => {
    const blocks = new Blocks();
    const all = inArchiveOrder(paths(5_000, 8));
    const [root] = await build(
      all.map((each) => record(each)),
      blocks,
    );
    const first = blocks.texts.size;
    expect(
      await build(
        all.map((each) => record(each)),
        blocks,
      ),
    ).toEqual([root]);
    expect(blocks.texts.size).toBe(first);
    await build(
      all.map((each, n) => record(each, n === 20_000 ? 2 : 1)),
      blocks,
    );
    const changed = blocks.texts.size;
    expect(changed - first).toBe(root!.height + 1);
    await build(
      all.filter((_, n) => n !== 10_000).map((each) => record(each)),
      blocks,
    );
    expect(blocks.texts.size - changed).toBeLessThanOrEqual(2 * root!.height + 2);
  });

  it('shares its blocks though its fragments were cut elsewhere', async () => {
    const blocks = new Blocks();
    const all = inArchiveOrder(paths(5_000, 8)).map((each) => record(each));
    await build(all.slice(0, 15_000), blocks);
    await build(all.slice(15_000), blocks);
    const first = blocks.texts.size;
    await build(all.slice(0, 18_003), blocks);
    await build(all.slice(18_003), blocks);
    expect(blocks.texts.size - first).toBeLessThan(30);
  });

  it('has blocks of about the size that was meant', async () => {
    const blocks = new Blocks();
    await build(
      inArchiveOrder(paths(10_000, 8)).map((each) => record(each)),
      blocks,
    );
    const pages = [...blocks.texts.values()].filter((text) => text.startsWith('/'));
    expect(80_000 / pages.length).toBeGreaterThan(50);
    expect(80_000 / pages.length).toBeLessThan(80);
    const nodes = [...blocks.texts.values()].filter((text) => !text.startsWith('/'));
    const references = nodes.reduce((sum, text) => sum + readNode(text).length, 0);
    expect(references / nodes.length).toBeGreaterThan(30);
  });

  it('of a large folder is one of its own, with the same pages', async () => {
    const blocks = new Blocks();
    const all = inArchiveOrder([...paths(3, 4_000), ...paths(300, 2)]);
    const records = [...new Set(all)].map((each) => record(each));
    await build(records, blocks);
    const before = blocks.texts.size;
    const trees = await build(records, blocks, 1_000);
    expect(trees).toHaveLength(4);
    expect(trees.reduce((sum, { entries }) => sum + entries, 0)).toBe(records.length);
    // Those at the ends of the large folders, and the nodes.
    expect(before).toBeGreaterThan(150);
    expect(blocks.texts.size - before).toBeLessThan(30);
  });

  it('refuses a folder that has a name twice', async () => {
    const twice = () => build([record('a/x'), record('a/y'), record('a/x')], new Blocks());
    await expect(twice).rejects.toThrow(CorruptIndex);
    await expect(twice).rejects.toThrow('/a/x twice');
  });
});
