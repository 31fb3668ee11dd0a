import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { whereASyncFails } from '../testing/failing-disk.js';
import { testFolder, type TestFolder } from '../testing/small-volume.js';
import { AppendFile } from './append-file.js';

const PIECE = Buffer.alloc(16 * 1024 * 1024, 'what was written ');
const PIECES = 6;

let folder: TestFolder;
beforeEach(() => {
  folder = testFolder();
});
afterEach(() => folder.dispose());

async function fill(file: AppendFile): Promise<void> {
  for (let piece = 0; piece < PIECES; piece += 1) await file.append([PIECE]);
}

describe('a file that is longer than what its last sync is left', () => {
  it('holds what was appended', async () => {
    const path = join(folder.path, 'whole');
    const file = await AppendFile.create(path);
    await fill(file);
    await file.sync();
    await file.close();
    const held = await readFile(path);
    expect(held.equals(Buffer.concat(Array.from({ length: PIECES }, () => PIECE)))).toBe(true);
  });

  it('is never durable again, when a piece did not reach the disk on its way', async () => {
    const file = await AppendFile.create(join(folder.path, 'broken'));
    await whereASyncFails(async () => {
      // As soon as the failure is known, an append tells of it.
      await fill(file).catch((error: unknown) => expect(error).toMatchObject({ code: 'EIO' }));
    });
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' });
    await expect(file.append([PIECE])).rejects.toMatchObject({ code: 'EIO' });
    await file.close();
  });

  it('is never durable again after its last sync failed', async () => {
    const file = await AppendFile.create(join(folder.path, 'broken'));
    await file.append([PIECE]);
    await whereASyncFails(() => expect(file.sync()).rejects.toMatchObject({ code: 'EIO' }));
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' });
    await file.close();
  });

  it('is closed while a piece is on its way to the disk', async () => {
    const file = await AppendFile.create(join(folder.path, 'left'));
    await fill(file);
    await file.close();
  });
});
