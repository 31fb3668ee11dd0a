import { chmodSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { openDataFolder, reachableDataFolder } from './data-folder.js';

let base: string;
beforeEach(async () => {
  base = await temporaryFolder();
});
afterEach(() => rmSync(base, { recursive: true }));

const mode = (path: string): number => statSync(path).mode & 0o777;

describe('a data folder', () => {
  it('and all that is in it can be entered by its owner only', async () => {
    const folder = await openDataFolder(join(base, 'a/b/data'));
    for (const path of [folder.path, folder.credentials, folder.nats, folder.media, folder.run]) {
      expect(mode(path)).toBe(0o700);
    }
    folder.close();
  });

  it('that was made by hand is closed to others', async () => {
    mkdirSync(join(base, 'data'), { mode: 0o755 });
    (await openDataFolder(join(base, 'data'))).close();
    expect(mode(join(base, 'data'))).toBe(0o700);
  });

  it('has one user at a time, and tells the other one which process that is', async () => {
    const path = join(base, 'data');
    const folder = await openDataFolder(path);
    await expect(openDataFolder(path)).rejects.toThrow(
      `Another Holdfast runs on ${path} (process ${process.pid})`,
    );
    folder.close();
    (await openDataFolder(path)).close();
  });

  it('is refused where it holds something else', async () => {
    writeFileSync(join(base, 'thesis.tex'), '');
    await expect(openDataFolder(base)).rejects.toThrow(/not Holdfast's \("thesis.tex"\)/);
  });

  it('is refused where it cannot be made', async () => {
    writeFileSync(join(base, 'file'), '');
    await expect(openDataFolder(join(base, 'file/data'))).rejects.toThrow(
      /Cannot use .* as the data folder/,
    );
  });
});

const asRoot = process.getuid?.() === 0 ? describe : describe.skip;
asRoot("a data folder that PostgreSQL's user cannot reach", () => {
  it('is refused with the folder that is in the way, and a name that works', async () => {
    mkdirSync(join(base, 'closed'));
    chmodSync(join(base, 'closed'), 0o700);
    await expect(openDataFolder(join(base, 'closed/data'))).rejects.toThrow(
      new RegExp(`cannot enter ${base}/closed. .* /var/lib/data-[0-9a-f]{8}`),
    );
  });

  it('is replaced where it was only a default', async () => {
    mkdirSync(join(base, 'closed'), { mode: 0o700 });
    const elsewhere = await reachableDataFolder(join(base, 'closed/.holdfast'));
    expect(elsewhere).toMatch(/^\/var\/lib\/holdfast-[0-9a-f]{8}$/);
    expect(await reachableDataFolder(join(base, '.holdfast'))).toBe(join(base, '.holdfast'));
  });
});
