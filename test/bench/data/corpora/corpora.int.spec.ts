import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { compareTrees } from '../../../support/compare-trees.js';
import { removeFolder, temporaryFolder } from '../../../support/temporary-folder.js';
import { type Corpus, prepareCorpus } from './corpora.js';

let folder: string;
let said: string[];

beforeAll(async () => {
  folder = await temporaryFolder();
  said = [];
});
afterAll(() => removeFolder(folder));

const prepare = (name: 'small-sample' | 'large-sample', where = folder): Promise<Corpus> =>
  prepareCorpus(name, where, (line) => said.push(line));

describe('a corpus', () => {
  it('is made once, and has the file that is looked for', async () => {
    const { folder: made, findName } = await prepare('small-sample');
    const names = readdirSync(made, { recursive: true, encoding: 'utf8' });
    expect(names.filter((name) => name.endsWith(`/${findName}`))).toHaveLength(1);
    const { ino } = statSync(made);
    await prepare('small-sample');
    expect(statSync(made).ino).toBe(ino);
    expect(said).toEqual([`making the corpus small-sample in ${made} ...`]);
  });

  it('is the same on every machine', async () => {
    for (const name of ['small-sample', 'large-sample'] as const) {
      const [one, other] = [await prepare(name), await prepare(name, join(folder, 'other'))];
      const options = { ignoreWhat: ['mtime'] };
      expect(await compareTrees(one.folder, other.folder, options)).toEqual([]);
    }
  });

  it('is made anew when it was made of something else, or not to the end', async () => {
    const { folder: made } = await prepare('large-sample');
    writeFileSync(join(made, 'left over'), '');
    writeFileSync(join(folder, 'large-sample.json'), JSON.stringify({ of: ['something else'] }));
    await prepare('large-sample');
    expect(readdirSync(made).sort()).toEqual(['random.bin', 'text.bin']);
    expect(JSON.parse(readFileSync(join(folder, 'large-sample.json'), 'utf8'))).toEqual({
      of: ['12 MiB of words', '8 MiB of AES-256-CTR'],
    });
  });
});
