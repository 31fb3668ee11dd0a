import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { makeLarge, makeSmall } from './corpus-sources.js';
import { makeLargeSample, makeSmallSample } from './corpus-samples.js';
import type { CorpusMaker } from './corpus-maker.js';
import type { CorpusKind } from './mutations.js';

/** A folder of files that every tool backs up. */
export interface Corpus {
  readonly name: CorpusName;
  readonly kind: CorpusKind;
  readonly folder: string;
  /** For what changes move aside; on the same file system. */
  readonly aside: string;
  /** A name that one file of it has. */
  readonly findName: string;
}

/**
 * `small`: over 100,000 small files, about 1.4 GB. `large`: three files, about 3.8 GB. The samples are
 * for trying a bench: no downloads, a second or two.
 */
export const CORPUS_NAMES = ['small', 'large', 'small-sample', 'large-sample'] as const;
export type CorpusName = (typeof CORPUS_NAMES)[number];

const MAKERS: Readonly<Record<CorpusName, CorpusMaker>> = {
  small: makeSmall,
  large: makeLarge,
  'small-sample': makeSmallSample,
  'large-sample': makeLargeSample,
};

/**
 * The corpus in the bench's folder, made now where it is missing or was made of something else. Throws
 * what is missing where it cannot be made; nothing half-made is ever taken for a corpus.
 */
export async function prepareCorpus(
  name: CorpusName,
  benchFolder: string,
  say: (line: string) => void,
): Promise<Corpus> {
  const { kind, findName, of, make } = MAKERS[name];
  const folder = join(benchFolder, name);
  const marker = join(benchFolder, `${name}.json`);
  const aside = join(benchFolder, `${name}.aside`);
  const corpus: Corpus = { name, kind, folder, aside, findName };
  if (existsSync(folder) && isDeepStrictEqual(madeOf(marker), of)) return corpus;
  say(`making the corpus ${name} in ${folder} ...`);
  const draft = `${folder}.draft`;
  const downloads = join(benchFolder, 'downloads');
  for (const old of [marker, aside, folder, draft]) rmSync(old, { recursive: true, force: true });
  for (const each of [draft, downloads]) mkdirSync(each, { recursive: true });
  await make({ folder: draft, downloads, say });
  renameSync(draft, folder);
  writeFileSync(marker, JSON.stringify({ of }));
  return corpus;
}

function madeOf(marker: string): unknown {
  if (!existsSync(marker)) return undefined;
  return (JSON.parse(readFileSync(marker, 'utf8')) as { of: unknown }).of;
}
