import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '#kernel/errors.js';
import { removeFolder, temporaryFolder } from '../../support/temporary-folder.js';
import type { Measurement } from '../measurement.js';
import { type Corpus, prepareCorpus } from './corpora/corpora.js';
import { dataSettings } from './data-settings.js';
import { Figures } from './figures.js';
import { measuresOf, OURS, OURS_DEDUP, STORED_LIKE } from './measures.js';
import { Mutations } from './corpora/mutations.js';
import { ToolRound } from './tool-round.js';
import { MachineState } from './usage/machine-state.js';
import { TOOLS } from './tools/tools.js';

/**
 * How long we, and each of restic, borg, Bacula and tar with zstd that is installed, take to back up,
 * restore, look through, verify and duplicate the same files, with what CPU time, memory and room.
 * Every tool has its turn in every round; figures are medians. Progress goes to standard error.
 * A peer that fails is left out and named. Throws where we fail, or do not restore what we backed up.
 */
export async function dataBench(): Promise<Measurement[]> {
  const settings = dataSettings(process.env);
  mkdirSync(settings.folder, { recursive: true });
  const corpora: Corpus[] = [];
  for (const name of settings.corpora) {
    corpora.push(await prepareCorpus(name, settings.folder, say));
  }
  const tools = settings.tools.filter((name) => {
    const isInstalled = TOOLS[name]!.isInstalled();
    if (!isInstalled) say(`${name} is not installed: left out`);
    return isInstalled;
  });
  const figures = new Map<string, Figures>();
  const aside = await temporaryFolder();
  const failed = new Set<string>();
  for (let round = 1; round <= settings.rounds; round += 1) {
    for (const corpus of corpora) {
      for (const name of tools.filter((each) => !failed.has(each))) {
        const ofTool = figures.get(`${corpus.name} ${name}`) ?? new Figures(corpus.name, name);
        figures.set(`${corpus.name} ${name}`, ofTool);
        try {
          await turn({
            label: `round ${round}/${settings.rounds}`,
            round,
            corpus,
            figures: ofTool,
            aside: join(aside, `${round} ${corpus.name} ${name}`),
          });
        } catch (error) {
          if (name === OURS || name === OURS_DEDUP) throw error;
          say(`${name} is left out from here on: ${messageOf(error)}`);
          failed.add(name);
        }
      }
    }
  }
  say('removing what was restored');
  // The figures are worth more: what is left the next run removes.
  await removeFolder(aside, REMOVAL_MS_MAX).catch((error: unknown) => say(messageOf(error)));
  const whole = [...figures.values()].filter(({ tool }) => !failed.has(tool));
  return settings.corpora.flatMap((name) => measuresOf(name, whole));
}

/** Millions of files. */
const REMOVAL_MS_MAX = 30 * 60_000;

interface Turn {
  readonly label: string;
  readonly round: number;
  readonly corpus: Corpus;
  readonly figures: Figures;
  /** Where a restored tree of many files goes until the end. */
  readonly aside: string;
}

/** One tool's part of one round, on the corpus as it was made. */
async function turn({ label, round, corpus, figures, aside }: Turn): Promise<void> {
  const tool = TOOLS[figures.tool]!.make();
  const mutations = new Mutations(corpus.folder, corpus.aside);
  mutations.undo();
  const folder = await temporaryFolder();
  warnOfOtherFileSystem(folder, corpus.folder);
  const restored = join(folder, 'restored');
  mkdirSync(restored);
  const work = { corpus, folder, restored };
  let changes = 0;
  try {
    await tool.prepare(work);
    try {
      await new ToolRound(tool, work, figures, {
        say: (line) => say(`${label} ${corpus.name} ${tool.name} ${line}`),
        change: async () => {
          changes += 1;
          // Times are compared in seconds by some: what changes must be newer than the last backup.
          await sleep(A_SECOND_MS);
          mutations.apply(corpus.kind, 100 * round + changes);
          await sleep(A_SECOND_MS);
        },
        machine,
        ...(corpus.kind === 'files' && { aside }),
        tenFulls: round === 1 && corpus.kind === 'files' && TEN_FULLS_BY.includes(tool.name),
      }).run();
    } finally {
      await tool.stop();
    }
  } finally {
    mutations.undo();
    await removeFolder(folder);
  }
}

/** Those that the goal for what is stored is about. */
const TEN_FULLS_BY = [OURS, OURS_DEDUP, STORED_LIKE];
const A_SECOND_MS = 1_100;
const machine = new MachineState(say);

function warnOfOtherFileSystem(folder: string, corpus: string): void {
  if (statSync(folder).dev === statSync(corpus).dev) return;
  say(`${folder} and ${corpus} are not on one file system: nothing can be cloned between them`);
}

function say(line: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);
}
