import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { blake3 } from '#kernel/blake3.js';
import { whereASyncFails, whereAWriteFails } from '../testing/failing-disk.js';
import { testFolder, type TestFolder } from '../testing/small-volume.js';
import { AppendFile } from './append-file.js';

const MIB = 1024 * 1024;
const PIECE = Buffer.alloc(16 * MIB, 'what was written ');
const PIECES = 6;

let folder: TestFolder;
beforeEach(() => {
  folder = testFolder();
});
afterEach(() => folder.dispose());

async function fill(file: AppendFile): Promise<void> {
  for (let piece = 0; piece < PIECES; piece += 1) await file.append([PIECE]);
}

const create = (options = {}) => AppendFile.create(join(folder.path, 'file'), options);
const throughTheCache = () => create({ isReadSoon: true });

describe.each([
  ['past the page cache', () => create()],
  ['through the page cache', throughTheCache],
])('a file that grows %s', (_, begin) => {
  it.each([
    ['as long as a stage', [MIB, MIB, MIB]],
    ['of all lengths', [1, 700_001, 512, 4_096, 400_000, 3 * MIB + 7, 0, 2 * MIB - 11, 33]],
    ['that end with a block', [MIB + 4_096, MIB, 8_192]],
    ['that are few', [100, 5]],
  ])('holds pieces %s', async (_what, lengths) => {
    const file = await begin();
    const pieces = lengths.map((length) => randomBytes(length));
    for (const piece of pieces) {
      const reused = Buffer.from(piece);
      await file.append([reused.subarray(0, length(piece)), reused.subarray(length(piece))]);
      reused.fill(0);
    }
    const all = Buffer.concat(pieces);
    expect(file.bytes).toBe(all.length);
    expect(await file.digest()).toBe(blake3(all).toString('hex'));
    await file.append([Buffer.from('and more')]);
    await file.sync();
    await file.close();
    const held = await readFile(file.path);
    expect(held.equals(Buffer.concat([all, Buffer.from('and more')]))).toBe(true);
  });

  it('is never durable again after its last sync failed', async () => {
    const file = await begin();
    await file.append([PIECE]);
    await whereASyncFails(() => expect(file.sync()).rejects.toMatchObject({ code: 'EIO' }));
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' });
    await file.close();
  });

  it('is closed while a piece is on its way to the disk', async () => {
    const file = await begin();
    await fill(file);
    await file.close();
  });
});

describe('a file through the page cache that is longer than what its last sync is left', () => {
  it('is never durable again, when a piece did not reach the disk on its way', async () => {
    const file = await throughTheCache();
    await whereASyncFails(async () => {
      // As soon as the failure is known, an append tells of it.
      await fill(file).catch((error: unknown) => expect(error).toMatchObject({ code: 'EIO' }));
    });
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' });
    await expect(file.append([PIECE])).rejects.toMatchObject({ code: 'EIO' });
    await file.close();
  });
});

describe('a file past the page cache', () => {
  it.each(['EIO', 'ENOSPC'])('is never durable again, when a write came to %s', async (code) => {
    const file = await create();
    await file.append([Buffer.alloc(MIB)]);
    await whereAWriteFails(code, async () => {
      await file.append([Buffer.alloc(MIB)]);
      // The next one tells of it.
      await expect(file.append([Buffer.alloc(2 * MIB)])).rejects.toMatchObject({ code });
    });
    await expect(file.append([PIECE])).rejects.toMatchObject({ code });
    await expect(file.sync()).rejects.toMatchObject({ code });
    await file.close();
  });

  it('tells of a write that failed when it is synced, too', async () => {
    const file = await create();
    await file.append([Buffer.alloc(MIB)]);
    await whereAWriteFails('EIO', async () => {
      await file.append([Buffer.alloc(MIB)]);
      await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' });
    });
    await file.close();
  });

  it('goes through the cache where the file system turns out not to know how', async () => {
    const file = await create();
    const content = randomBytes(5 * MIB + 3);
    await file.append([content.subarray(0, MIB)]);
    await whereAWriteFails('EINVAL', () => file.append([content.subarray(MIB)]));
    await file.sync();
    await file.close();
    expect((await readFile(file.path)).equals(content)).toBe(true);
  });
});

/** Of the first part of a piece. */
function length(piece: Buffer): number {
  return Math.floor(piece.length / 3);
}
