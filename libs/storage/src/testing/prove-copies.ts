import { randomBytes } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { VolumeFull } from '../errors.js';
import type { FragmentObject, SealedFragmentReader } from '../fragment-store.js';
import { fragmentName, manifestOf, patternBytes, write } from './fragments.js';
import type { Use } from './store-fixture.js';

/** The laws of `copyFrom`. */
export function provesCopies(use: Use): void {
  const content = { data: patternBytes(2_500_000), index: patternBytes(70_000, 9) };

  it('copies a fragment with every byte, and leaves the source as it was', () =>
    use(async ({ store, reopen }) => {
      const copy = fragmentName(2, { copy: 2, number: 1 });
      await write(store, fragmentName(1), content);
      const source = await store.open(fragmentName(1));
      const writer = await store.create(copy);
      await writer.copyFrom(source);
      expect([writer.dataBytes, writer.indexBytes]).toEqual([2_500_000, 70_000]);
      await writer.seal(manifestOf(copy, content));
      for (const name of [copy, fragmentName(1)]) {
        const reader = await reopen().open(name);
        const data = await reader.read('data', 2_000_000, 500_000);
        expect(data.equals(content.data.subarray(2_000_000))).toBe(true);
        expect((await reader.read('index', 0, 70_000)).equals(content.index)).toBe(true);
        await reader.close();
      }
      await source.close();
    }));

  it('copies from what is no file of its own', () =>
    use(async ({ store }) => {
      const elsewhere = new MemorySource(manifestOf(fragmentName(1), content), content);
      const writer = await store.create(fragmentName(2));
      await writer.copyFrom(elsewhere);
      await writer.seal(manifestOf(fragmentName(2), content));
      expect(await store.stat(fragmentName(2))).toMatchObject({ state: 'sealed' });
    }));

  it.each(['data', 'index'] as const)('refuses a source whose %s has changed', (object) =>
    use(async ({ store }) => {
      const changed = { ...content, [object]: patternBytes(content[object].length, 77) };
      const source = new MemorySource(manifestOf(fragmentName(1), content), changed);
      const writer = await store.create(fragmentName(2));
      await expect(writer.copyFrom(source)).rejects.toMatchObject({ status: 1057 });
      await expect(writer.writeData([patternBytes(1)])).rejects.toMatchObject({ status: 1057 });
      await writer.abandon();
      expect((await store.stat(fragmentName(2)))?.state).not.toBe('sealed');
    }),
  );

  it('says VolumeFull when there is no room for a copy', () =>
    use(async ({ store }) => {
      for (const seed of [1, 2]) {
        const large = { data: randomBytes(1_500_000), index: patternBytes(5) };
        const source = new MemorySource(manifestOf(fragmentName(9), large), large);
        const writer = await store.create(fragmentName(seed));
        const copying = writer.copyFrom(source);
        if (seed === 2) await expect(copying).rejects.toBeInstanceOf(VolumeFull);
        else await copying;
        await writer.abandon();
      }
    }, 2_000_000));
}

/** A source in memory that need not be what its manifest says. */
class MemorySource implements SealedFragmentReader {
  constructor(
    readonly manifest: SealedFragmentReader['manifest'],
    private readonly content: Record<FragmentObject, Buffer>,
  ) {}

  size(object: FragmentObject): number {
    return this.content[object].length;
  }

  async read(object: FragmentObject, offset: number, length: number): Promise<Buffer> {
    return this.content[object].subarray(offset, offset + length);
  }

  async close(): Promise<void> {}
}
