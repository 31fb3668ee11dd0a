import { expect, it } from '@jest/globals';
import type { FragmentView } from '#contracts/image.js';
import { FragmentUnreadable } from '#storage/errors.js';
import { AnySource } from './any-source.js';
import type { FragmentSource } from './fragment-source.js';

it('A number that was read is closed, whatever its sources say to that', async () => {
  const views = [{ fragmentId: 'a' }, { fragmentId: 'b' }] as FragmentView[];
  const closed: string[] = [];
  const open = async (view: FragmentView) =>
    ({
      view,
      close: () => {
        closed.push(view.fragmentId);
        return Promise.reject(new Error('EIO'));
      },
    }) as unknown as FragmentSource;
  const sources = { open, drop: () => undefined };
  const source = new AnySource({ sources, views, onSuspect: () => undefined });
  const failing = source.from(async () => {
    throw new FragmentUnreadable('a', 'is gone');
  });
  await expect(failing).rejects.toThrow('gone');
  await source.close();
  expect(closed).toEqual(['a', 'b']);
});
