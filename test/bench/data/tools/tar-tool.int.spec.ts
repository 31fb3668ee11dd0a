import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { removeFolder, temporaryFolder } from '../../../support/temporary-folder.js';
import { TarTool } from './tar-tool.js';

let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => removeFolder(folder));

it('An archive that tar could not make is no figure', async () => {
  const tool = new TarTool();
  const corpus = { name: 'small', kind: 'files', folder: join(folder, 'gone') } as const;
  const work = join(folder, 'work');
  mkdirSync(work);
  await tool.prepare({
    corpus: { ...corpus, aside: join(folder, 'aside'), findName: 'a' },
    ...{ folder: work, restored: join(folder, 'restored') },
  });
  mkdirSync(corpus.folder);
  await tool.steps.full();
  await removeFolder(corpus.folder);
  await expect(tool.steps.changed()).rejects.toThrow('gone');
});
