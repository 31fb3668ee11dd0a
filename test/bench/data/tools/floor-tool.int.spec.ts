import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { removeFolder, temporaryFolder } from '../../../support/temporary-folder.js';
import { FloorTool } from './floor-tool.js';

let folder: string;
let source: string;
let restored: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  source = join(folder, 'source');
  restored = join(folder, 'restored');
  for (const name of ['source', 'work', 'restored']) mkdirSync(join(folder, name));
});
afterEach(() => removeFolder(folder));

async function prepared(): Promise<FloorTool> {
  const tool = new FloorTool();
  const corpus = { name: 'small', kind: 'files', folder: source } as const;
  await tool.prepare({
    corpus: { ...corpus, aside: join(folder, 'aside'), findName: 'a' },
    ...{ folder: join(folder, 'work'), restored },
  });
  return tool;
}

it('A restore makes the whole path of the source anew, as it is by then', async () => {
  writeFileSync(join(source, 'a name with spaces'), 'one');
  const tool = await prepared();
  await tool.steps.full();
  await tool.steps['nothing changed']();
  await rename(join(source, 'a name with spaces'), join(source, 'b'));
  await tool.steps.changed();
  await tool.steps.restore();
  expect(await readFile(join(restored, source, 'b'), 'utf8')).toBe('one');
});

it('A source that cannot be read is no figure', async () => {
  const tool = await prepared();
  await removeFolder(source);
  await expect(tool.steps.full()).rejects.toThrow('source');
});
