import type { CorpusKind } from './mutations.js';

/** Makes a corpus in an empty folder. Whatever is worth keeping for the next time goes to `downloads`. */
export interface CorpusMaker {
  readonly kind: CorpusKind;
  readonly findName: string;
  /** What it is made of: with anything else here the corpus is made anew. */
  readonly of: readonly string[];
  make(place: CorpusPlace): Promise<void>;
}

export interface CorpusPlace {
  readonly folder: string;
  readonly downloads: string;
  readonly say: (line: string) => void;
}
