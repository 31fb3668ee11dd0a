import { randomBytes } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';
import { encodeFrameTable } from '#archive/frames/frame-table.js';
import { compress } from '#archive/frames/zstd.js';
import type { FragmentView } from '#contracts/image.js';
import { AnySource } from '../duplication/any-source.js';
import type { FragmentSource, SourceRange } from '../duplication/fragment-source.js';
import { indexTexts } from './fragment-index.js';

it('An index comes from a source that has all of it, and none is looked through twice', async () => {
  const texts = Array.from({ length: 8 }, () => randomBytes(200_000).toString('latin1'));
  const frames = await Promise.all(texts.map((text) => compress(Buffer.from(text, 'latin1'), 3)));
  const index = Buffer.concat([...frames, encodeFrameTable([])]);
  const damaged = Buffer.from(index);
  damaged[index.length - 1]! ^= 1;
  const stored = new Map([
    ['damaged', damaged],
    ['good', index],
  ]);
  const read = { damaged: 0, good: 0 };
  const view = {
    ...{ indexBytes: index.length, indexDigest: blake3(index).toString('hex'), frames: 0 },
  } as FragmentView;
  const views = [...stored.keys()].map((fragmentId) => ({ ...view, fragmentId }));
  const open = async ({ fragmentId }: FragmentView) =>
    ({
      manifest: { fragmentId },
      async *read({ offset, length }: SourceRange) {
        read[fragmentId as keyof typeof read] += length;
        yield stored.get(fragmentId)!.subarray(offset, offset + length);
      },
    }) as unknown as FragmentSource;
  const suspects = new Set<string>();
  const { from } = new AnySource({
    ...{ sources: { open, drop: () => undefined }, views },
    onSuspect: ({ fragmentId }) => suspects.add(fragmentId),
  });
  const found: string[] = [];
  for await (const text of indexTexts(from, view, { imageId: 'web1_1' })) found.push(text);
  expect(found.join('') === texts.join('')).toBe(true);
  expect([...suspects]).toEqual(['damaged']);
  expect(read).toEqual({ damaged: index.length, good: 2 * index.length });
});
