import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fragmentName } from '../testing/fragments.js';
import { testFolder, type TestFolder } from '../testing/small-volume.js';
import { RecipeFiles } from './recipe-files.js';

const [FIRST, SECOND] = [1, 2].map((n) => `01920000-0000-7000-8000-00000000000${n}`) as [
  string,
  string,
];

describe('A recipe in the trash', () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = testFolder();
  });
  afterEach(() => folder.dispose());

  it('is looked for with its own tombstone before it is with all others', async () => {
    const files = new RecipeFiles(folder.path);
    const recipe = fragmentName(1);
    for (const tombstone of [FIRST, SECOND]) {
      mkdirSync(dirname(files.trashedPath(recipe, tombstone)), { recursive: true });
      writeFileSync(files.trashedPath(recipe, tombstone), '');
    }
    const find = (tombstoneId?: string) =>
      files.find({ ...recipe, ...(tombstoneId && { tombstoneId }) });
    expect(await find()).toBe(files.trashedPath(recipe, FIRST));
    expect(await find(SECOND)).toBe(files.trashedPath(recipe, SECOND));
    rmSync(files.trashedPath(recipe, SECOND));
    expect(await find(SECOND)).toBe(files.trashedPath(recipe, FIRST));
    rmSync(files.trashedPath(recipe, FIRST));
    expect(await find(SECOND)).toBeUndefined();
  });
});
