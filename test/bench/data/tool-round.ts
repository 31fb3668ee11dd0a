import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../../apps/standalone/src/servers/system/command.js';
import { removeFolder } from '../../support/temporary-folder.js';
import { type DataTool, type DataWork, type Step, STEPS } from './data-tool.js';
import type { Figures, StoredAfter } from './figures.js';
import type { MachineState } from './usage/machine-state.js';
import { storedMegabytes } from './usage/stored-bytes.js';
import { measureUsage, type Usage } from './usage/usage.js';

/** These write so much that the state of memory matters. */
const WRITE_MUCH: readonly Step[] = ['full', 'restore', 'duplicate', 'duplicate across'];
const COMPARE_MS_MAX = 1_800_000;

export interface RoundOptions {
  readonly say: (line: string) => void;
  /** Changes the corpus. */
  readonly change: () => Promise<void>;
  readonly machine: MachineState;
  /**
   * Where what was restored goes, not to be removed before all tools have had their turns: an ext4 file system without a
   * journal looks at each inode that was deleted within some minutes whenever it makes a file.
   */
  readonly aside?: string;
  /** Ends with further fulls, with a change before each, to see what they add to what is stored. */
  readonly tenFulls: boolean;
}

const FULLS = 10;

/** All steps of one tool, once. */
export class ToolRound {
  constructor(
    private readonly tool: DataTool,
    private readonly work: DataWork,
    private readonly figures: Figures,
    private readonly options: RoundOptions,
  ) {}

  async run(): Promise<void> {
    for (const step of STEPS) {
      if (step === 'changed') await this.options.change();
      await this.measure(step);
      if (step === 'full' || step === 'changed') await this.countStored(step);
      if (step === 'restore') await this.compare();
    }
    if (this.options.tenFulls) await this.tenFulls();
  }

  private async tenFulls(): Promise<void> {
    for (let full = 2; full <= FULLS; full += 1) {
      await this.options.change();
      await this.tool.steps.full?.();
    }
    await this.countStored('ten fulls');
  }

  private async countStored(after: StoredAfter): Promise<void> {
    if (this.tool.stores.length === 0) return;
    const megabytes = await storedMegabytes(this.tool.stores);
    this.figures.addStored(after, megabytes);
    this.options.say(`stores ${megabytes.toFixed(0)} MB after ${after}`);
  }

  private async measure(step: Step): Promise<void> {
    const run = this.tool.steps[step];
    if (!run) return;
    const { machine } = this.options;
    const folders = [this.work.corpus.folder, ...this.tool.stores];
    if (WRITE_MUCH.includes(step)) await machine.refresh(folders);
    await machine.settle();
    const usage = await measureUsage(this.tool.servers(step), run);
    this.figures.add(step, usage);
    this.options.say(`${step}: ${describe(usage)}`);
  }

  /** Every byte of it; then it goes, or is put aside. */
  private async compare(): Promise<void> {
    const { corpus, restored } = this.work;
    const copy = join(restored, corpus.folder);
    const args = ['-r', '--no-dereference', '--brief', corpus.folder, copy];
    const { code, stdout, stderr } = await runCommand('diff', args, { timeoutMs: COMPARE_MS_MAX });
    const lines = (stdout + stderr).trim().split('\n').filter(Boolean);
    const wrong = this.tool.bringsBack
      ? lines.filter((line) => !line.startsWith(`Only in ${copy}`))
      : lines;
    if (code > 1 || wrong.length > 0) {
      const some = wrong.slice(0, 10).join('\n');
      throw new Error(
        `${this.tool.name} restored something else, ${wrong.length} differences:\n${some}`,
      );
    }
    const back = lines.length > 0 ? `, but for ${lines.length} that were deleted or renamed` : '';
    this.options.say(`restored every byte${back}`);
    const { aside } = this.options;
    if (aside === undefined) await removeFolder(restored);
    else renameSync(restored, aside);
    mkdirSync(restored);
  }
}

function describe({ seconds, cpuSeconds, cpuOf, peakMib, othersCpuSeconds }: Usage): string {
  const parts = Object.entries(cpuOf)
    .filter(([, cpu]) => cpu >= 0.05)
    .map(([name, cpu]) => `${name} ${cpu.toFixed(1)}`);
  return (
    `${seconds.toFixed(2)} s, CPU ${cpuSeconds.toFixed(1)} s (${parts.join(', ')}), ` +
    `${peakMib.toFixed(0)} MiB; others ${othersCpuSeconds.toFixed(1)} s`
  );
}
