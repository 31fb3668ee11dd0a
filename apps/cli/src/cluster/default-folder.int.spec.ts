import { mkdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { defaultFolder } from './default-folder.js';

let base: string;
beforeAll(async () => {
  base = await temporaryFolder();
});
afterAll(() => rmSync(base, { recursive: true }));

describe('The data folder that nobody named', () => {
  it("is the checkout's", async () => {
    expect(await defaultFolder(join(base, '.holdfast'))).toBe(join(base, '.holdfast'));
  });

  const asRoot = process.getuid?.() === 0 ? it : it.skip;
  asRoot(
    'lies elsewhere where that is closed, behind a link that may lead to nothing yet',
    async () => {
      mkdirSync(join(base, 'closed'), { mode: 0o700 });
      const wanted = join(base, 'closed/.holdfast');
      const elsewhere = await defaultFolder(wanted);
      expect(elsewhere).toMatch(/^\/var\/lib\/holdfast-[0-9a-f]{8}$/);
      expect(readlinkSync(wanted)).toBe(elsewhere);
      // The first start ended before it had made the folder.
      expect(await defaultFolder(wanted)).toBe(elsewhere);
    },
  );
});
