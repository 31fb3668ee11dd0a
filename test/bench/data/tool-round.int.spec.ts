import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runCommand } from '../../../apps/standalone/src/servers/system/command.js';
import { removeFolder, temporaryFolder } from '../../support/temporary-folder.js';
import type { DataTool, DataWork } from './data-tool.js';
import { Figures } from './figures.js';
import { ToolRound } from './tool-round.js';
import { MachineState } from './usage/machine-state.js';
import { NO_SERVERS } from './usage/usage.js';

/** For a machine that may be in any state. */
class AnyState extends MachineState {
  override async settle(): Promise<void> {}
  override async refresh(): Promise<void> {}
}

let folder: string;
let work: DataWork;
let did: string[];
let asked: string[];
let said: string[];

beforeEach(async () => {
  folder = await temporaryFolder();
  did = [];
  asked = [];
  said = [];
  const corpus = { name: 'small', kind: 'files', folder: join(folder, 'corpus') } as const;
  work = {
    corpus: { ...corpus, aside: join(folder, 'aside'), findName: 'a' },
    folder: join(folder, 'work'),
    restored: join(folder, 'work/restored'),
  };
  mkdirSync(corpus.folder);
  writeFileSync(join(corpus.folder, 'a'), 'as it was');
  mkdirSync(work.restored, { recursive: true });
});
afterEach(() => removeFolder(folder));

/** Copies the corpus, and restores what `spoil` makes of the copy. */
function copyTool(spoil: (copy: string) => void, bringsBack = false): DataTool {
  const store = join(work.folder, 'store');
  const copy = () => runCommand('cp', ['-a', '-T', work.corpus.folder, store]);
  const restore = async () => {
    const to = join(work.restored, work.corpus.folder);
    mkdirSync(to, { recursive: true });
    await runCommand('cp', ['-a', '-T', store, to]);
    spoil(to);
  };
  const step = (name: string, run: () => Promise<unknown>) => () => {
    did.push(name);
    return run();
  };
  return {
    name: 'copy',
    stores: [store],
    ...(bringsBack && { bringsBack: true as const }),
    steps: {
      restore: step('restore', restore),
      full: step('full', copy),
      changed: step('changed', copy),
    },
    servers: (of) => {
      asked.push(of);
      return NO_SERVERS;
    },
    prepare: async () => undefined,
    stop: async () => undefined,
  };
}

function round(tool: DataTool, tenFulls = false): { run: Promise<void>; figures: Figures } {
  const figures = new Figures('small', 'copy');
  const options = {
    say: (line: string) => said.push(line),
    change: async () => {
      did.push('change');
      writeFileSync(join(work.corpus.folder, `more-${did.length}`), Buffer.alloc(100_000, 1));
    },
    machine: new AnyState(() => undefined),
    tenFulls,
  };
  return { run: new ToolRound(tool, work, figures, options).run(), figures };
}

const asItIs = () => undefined;
const addOne = (copy: string) => writeFileSync(join(copy, 'one more'), '');

describe('the round of a tool', () => {
  it('has the steps that it can do in their order, and changes the corpus in between', async () => {
    const { run, figures } = round(copyTool(asItIs));
    await run;
    expect(did).toEqual(['full', 'change', 'changed', 'restore']);
    // Data may take another way in each of them.
    expect(asked).toEqual(['full', 'changed', 'restore']);
    expect(figures.seconds('changed')).toBeGreaterThan(0);
    expect(figures.seconds('list')).toBeUndefined();
    expect(figures.storedMegabytes('changed')! - figures.storedMegabytes('full')!).toBeCloseTo(
      0.1,
      1,
    );
    expect(said).toContain('restored every byte');
    expect(readdirSync(work.restored)).toEqual([]);
  });

  it('fails where a byte is another, with the file that has it', async () => {
    const tool = copyTool((copy) => writeFileSync(join(copy, 'a'), 'as it is.'), true);
    await expect(round(tool).run).rejects.toThrow(
      /copy restored something else, 1 differences:\n.*\/a /,
    );
  });

  it('fails where a file is missing, be it said that files come back or not', async () => {
    const tool = copyTool((copy) => rmSync(join(copy, 'a')), true);
    await expect(round(tool).run).rejects.toThrow(/Only in \S+corpus: a/);
  });

  it('lets a file come back only where that is said', async () => {
    await expect(round(copyTool(addOne)).run).rejects.toThrow(/Only in \S+corpus: one more/);
    await removeFolder(work.restored);
    await round(copyTool(addOne, true)).run;
    expect(said).toContain('restored every byte, but for 1 that were deleted or renamed');
  });

  it('goes on to ten fulls with a change before each', async () => {
    const { run, figures } = round(copyTool(asItIs), true);
    await run;
    expect(did.filter((each) => each === 'full')).toHaveLength(10);
    expect(did.filter((each) => each === 'change')).toHaveLength(10);
    expect(figures.storedMegabytes('ten fulls')).toBeCloseTo(1, 0);
  });
});
