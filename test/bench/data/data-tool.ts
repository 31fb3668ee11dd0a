import type { Corpus } from './corpora/corpora.js';
import type { Servers } from './usage/usage.js';

/** What is measured, in this order; the corpus changes before `changed`. */
export const STEPS = [
  'full',
  'nothing changed',
  'changed',
  'restore',
  'list',
  'find',
  'verify',
  'duplicate',
  'duplicate across',
] as const;
export type Step = (typeof STEPS)[number];

/** What a tool works with in one round. */
export interface DataWork {
  readonly corpus: Corpus;
  /** An empty folder of its own for all that it keeps, removed after the round by whoever made it. */
  readonly folder: string;
  /** An empty folder. `restore` makes the whole path of the corpus anew below it. */
  readonly restored: string;
}

/**
 * A tool that backs up a folder, beginning with nothing. After `prepare` every backup is of
 * `work.corpus.folder`:
 *
 * - `full`: the first backup; `nothing changed` and `changed`: as the tool does it day by day;
 * - `restore`: the whole state of the last backup; what has been deleted since the first may come back
 *   only where `bringsBack` says so;
 * - `list`: all paths of the first backup; `find`: every version of one name, over all backups;
 * - `verify`: reads everything that is stored and checks it;
 * - `duplicate`: all backups into a second store on the same host, `duplicate across`: into one that
 *   another server keeps.
 *
 * A step resolves when the tool says that it is done, and rejects where it failed. A step that is not
 * there cannot be done with this tool.
 */
export interface DataTool {
  readonly name: string;
  readonly steps: Readonly<Partial<Record<Step, () => Promise<unknown>>>>;
  /** Restores bring back what was deleted or renamed between the backups. */
  readonly bringsBack?: true;
  prepare(work: DataWork): Promise<void>;
  /** What runs beside the commands, and what of it the data of this step passes through. */
  servers(step: Step): Servers;
  /** Where the backups lie: its size is what is stored. */
  readonly stores: readonly string[];
  stop(): Promise<void>;
}
