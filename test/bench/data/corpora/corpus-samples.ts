import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomFrom } from '../../../support/random.js';
import type { CorpusMaker } from './corpus-maker.js';
import { writeRandomBytes } from './corpus-sources.js';

const MIB = 2 ** 20;
const FILES = 3_000;
const FILES_PER_FOLDER = 50;
const WORDS_MAX = 2_000;
const TEXT_MIB = 12;
const RANDOM_MIB = 8;
const VOCABULARY = 5_000;

/** Files of words, as many as a small project has. */
export const makeSmallSample: CorpusMaker = {
  kind: 'files',
  findName: 'file-77.txt',
  of: [`${FILES} files of up to ${WORDS_MAX} words`],
  async make({ folder }) {
    const random = randomFrom(1);
    for (let n = 0; n < FILES; n += 1) {
      const into = join(folder, `d${Math.floor(n / FILES_PER_FOLDER)}`);
      if (n % FILES_PER_FOLDER === 0) mkdirSync(into);
      writeFileSync(join(into, `file-${n}.txt`), words(Math.floor(random() * WORDS_MAX), random));
    }
  },
};

/** One file that compresses, and one that does not. */
export const makeLargeSample: CorpusMaker = {
  kind: 'large',
  findName: 'text.bin',
  of: [`${TEXT_MIB} MiB of words`, `${RANDOM_MIB} MiB of AES-256-CTR`],
  async make({ folder }) {
    const random = randomFrom(2);
    const text = words((TEXT_MIB * MIB) / 8, random).padEnd(TEXT_MIB * MIB, '.');
    writeFileSync(join(folder, 'text.bin'), text.slice(0, TEXT_MIB * MIB));
    writeRandomBytes(join(folder, 'random.bin'), RANDOM_MIB * MIB);
  },
};

function words(count: number, random: () => number): string {
  const word = () => Math.floor(random() * VOCABULARY).toString(27);
  return Array.from({ length: count }, word).join(' ');
}
