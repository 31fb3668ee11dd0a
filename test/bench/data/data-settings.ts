import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CORPUS_NAMES, type CorpusName } from './corpora/corpora.js';
import { TOOLS } from './tools/tools.js';

export interface DataSettings {
  /** Where corpora are kept from one run to the next. */
  readonly folder: string;
  readonly rounds: number;
  readonly corpora: readonly CorpusName[];
  readonly tools: readonly string[];
}

const ROUNDS_DEFAULT = 3;
const ROUNDS_MAX = 100;

/** Throws what is wrong with which variable, and what is allowed. */
export function dataSettings(env: NodeJS.ProcessEnv): DataSettings {
  const toolNames = Object.keys(TOOLS);
  return {
    folder: env['HOLDFAST_BENCH_FOLDER'] || join(tmpdir(), 'holdfast-bench'),
    rounds: rounds(env['HOLDFAST_BENCH_ROUNDS']),
    corpora: some(env, 'HOLDFAST_BENCH_CORPORA', CORPUS_NAMES) ?? ['small', 'large'],
    tools: some(env, 'HOLDFAST_BENCH_TOOLS', toolNames) ?? toolNames,
  };
}

function rounds(text: string | undefined): number {
  const count = text ? Number(text) : ROUNDS_DEFAULT;
  if (Number.isInteger(count) && count >= 1 && count <= ROUNDS_MAX) return count;
  throw new Error(`HOLDFAST_BENCH_ROUNDS is a number from 1 to ${ROUNDS_MAX}, not "${text}".`);
}

function some<T extends string>(
  env: NodeJS.ProcessEnv,
  variable: string,
  all: readonly T[],
): T[] | undefined {
  const names = env[variable]?.split(',').map((name) => name.trim());
  if (!names || env[variable] === '') return undefined;
  const wrong = names.find((name) => !all.some((one) => one === name));
  if (wrong === undefined) return all.filter((name) => names.includes(name));
  throw new Error(`${variable} names some of ${all.join(', ')}, not "${wrong}".`);
}
