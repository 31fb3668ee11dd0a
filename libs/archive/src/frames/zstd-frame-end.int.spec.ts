import { spawnSync } from 'node:child_process';

import { compress } from './zstd.js';
import { expect, it } from '@jest/globals';

import { noise } from '../../../../test/support/odd-tree-maker.js';

import { zstdFrameAt } from './zstd-frame-end.js';

const contents = [
  Buffer.alloc(0),
  Buffer.from('x'),
  Buffer.from('text '.repeat(60)),
  Buffer.alloc(300_000),
  noise(300_000, 1),
  Buffer.concat([noise(70_000, 2), Buffer.alloc(200_000), Buffer.from('end')]),
];

const byTool = (content: Buffer, ...options: string[]): Buffer =>
  spawnSync('zstd', ['-q', '-c', ...options], { input: content, maxBuffer: 2 ** 24 }).stdout;

it('finds where frames of any shape end, and what they hold', async () => {
  for (const content of contents) {
    const frames = [
      await compress(content, 1),
      byTool(content),
      byTool(content, '--no-check', '-19'),
    ];
    for (const frame of frames) {
      const two = Buffer.concat([frame, frame, Buffer.from('rest')]);
      const first = zstdFrameAt(two, 0);
      expect(first).toMatchObject({ bytes: frame.length, skippable: false });
      expect([content.length, undefined]).toContain(first?.contentBytes);
      expect(zstdFrameAt(two, frame.length)?.bytes).toBe(frame.length);
    }
  }
});

it('asks for more while the end is not there, and refuses what is no frame', async () => {
  const frame = await compress(noise(300_000, 3), 1);
  for (const length of [0, 7, 9, 100]) {
    expect(zstdFrameAt(frame.subarray(0, length), 0)).toBeUndefined();
  }
  expect(() => zstdFrameAt(Buffer.from('no frame at all'), 0)).toThrow('No Zstandard frame');
  const skippable = Buffer.from('5d2a4d1803000000abc', 'hex');
  expect(zstdFrameAt(skippable, 0)).toEqual({ bytes: 11, contentBytes: 0, skippable: true });
});
