import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeFolder, temporaryFolder } from '../../support/temporary-folder.js';
import type { Measurement } from '../measurement.js';
import { type Corpus, prepareCorpus } from './corpora.js';
import { dataSettings, type DataSettings } from './data-settings.js';
import { Figures } from './figures.js';
import { measuresOf } from './measures.js';
import { Mutations } from './mutations.js';
import { ToolRound } from './tool-round.js';
import { TOOLS } from './tools/tools.js';

/**
 * How long we, and each of restic, borg, Bacula and tar with zstd that is installed, take to back up,
 * restore, look through, verify and duplicate the same files, with what CPU time, memory and room.
 * Every tool has its turn in every round; figures are medians. Progress goes to standard error.
 * Throws where a tool fails or does not restore what it backed up.
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
  const figures: Figures[] = [];
  for (let round = 1; round <= settings.rounds; round += 1) {
    for (const corpus of corpora) {
      for (const name of tools) await turn({ settings, round, corpus, name, figures });
    }
  }
  return settings.corpora.flatMap((name) => measuresOf(name, figures));
}

interface Turn {
  readonly settings: DataSettings;
  readonly round: number;
  readonly corpus: Corpus;
  readonly name: string;
  readonly figures: Figures[];
}

/** One tool's part of one round, on the corpus as it was made. */
async function turn({ settings, round, corpus, name, figures }: Turn): Promise<void> {
  const tool = TOOLS[name]!.make();
  const known = figures.find((one) => one.corpus === corpus.name && one.tool === tool.name);
  const own = known ?? new Figures(corpus.name, tool.name);
  if (!known) figures.push(own);
  const mutations = new Mutations(corpus.folder, corpus.aside);
  mutations.undo();
  const folder = await temporaryFolder();
  warnOfOtherFileSystem(folder, corpus.folder);
  const restored = join(folder, 'restored');
  mkdirSync(restored);
  const work = { corpus, folder, restored };
  try {
    await tool.prepare(work);
    try {
      await new ToolRound(tool, work, own, {
        say: (line) => say(`round ${round}/${settings.rounds} ${corpus.name} ${tool.name} ${line}`),
        change: async () => {
          // Times are compared in seconds by some: what changes must be newer than the last backup.
          await sleep(A_SECOND_MS);
          mutations.apply(corpus.kind, round);
          await sleep(A_SECOND_MS);
        },
      }).run();
    } finally {
      await tool.stop();
    }
  } finally {
    mutations.undo();
    await removeFolder(folder);
  }
}

const A_SECOND_MS = 1_100;

function warnOfOtherFileSystem(folder: string, corpus: string): void {
  if (statSync(folder).dev === statSync(corpus).dev) return;
  say(`${folder} and ${corpus} are not on one file system: nothing can be cloned between them`);
}

function say(line: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);
}
