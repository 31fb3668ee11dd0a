import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

import { jobView, type JobView } from '#contracts/job.js';
import { SystemClock } from '#kernel/clock.js';
import { PermanentError } from '#kernel/errors.js';
import { Output } from '../../apps/cli/src/output/output.js';
import { Progress } from '../../apps/cli/src/output/progress.js';
import { makeOddTree, mutateOddTree, type OddTree } from '../support/odd-tree.js';
import type { ComparisonResult } from './compare-folders.js';
import type { DemoFolder } from './demo-folder.js';
import type { HoldfastCommands } from './holdfast-command.js';
import { StepTable } from './step-table.js';

const record = z.object({
  type: z.enum(['progress', 'result', 'detached']),
  job: jobView,
  notes: z.array(z.object({ text: z.string() })).default([]),
});

const DIFFERENCES_SHOWN = 20;
const NOTES_SHOWN = 5;

export interface DemoPlan {
  readonly folder: DemoFolder;
  /** What is backed up beside the demo's own odd files; only read. */
  readonly path: string;
  readonly commands: HoldfastCommands;
  readonly output: Output;
  readonly steps: StepTable;
  readonly signal: AbortSignal;
}

/** The main job, on a cluster that runs. Resolves to whether the restored files are the same. */
export class DemoRun {
  private readonly clock = new SystemClock();

  constructor(private readonly plan: DemoPlan) {}

  async run(): Promise<boolean> {
    const { folder, path, commands } = this.plan;
    const tree = await this.makeOddFiles();
    await this.backup('full backup', 'full', 'full');
    console.log(`\nChanging the demo's own files in ${folder.odd} ...`);
    mutateOddTree(tree);
    const second = await this.backup('incremental', 'differential', 'differential');
    const image = second.imageId!;
    await commands.show(['images']);
    await commands.show(['files', image, folder.odd, '--limit', '12']);
    await commands.show(['find', `${folder.odd}/regular/text`]);
    await this.restore(image);
    return this.compare([path, folder.odd], Date.parse(second.startedAt!));
  }

  private async makeOddFiles(): Promise<OddTree> {
    const { folder } = this.plan;
    console.log(`\nMaking one of every odd file in ${folder.odd} ...`);
    const tree = await makeOddTree(folder.odd);
    for (const line of tree.skipped) console.log(`  not possible here: ${line}`);
    return tree;
  }

  private async backup(step: string, type: string, expected: string): Promise<JobView> {
    const { folder, path } = this.plan;
    const job = await this.job(['backup', path, folder.odd, '--type', type]);
    if (job.kind !== expected) {
      throw new PermanentError(2, `The ${step} became a ${job.kind ?? 'nothing'}.`);
    }
    this.plan.steps.add({ step, ...figures(job) });
    return job;
  }

  private async restore(image: string): Promise<void> {
    const job = await this.job(['restore', image, '--to', this.plan.folder.restored]);
    this.plan.steps.add({ step: 'restore', ...figures(job) });
  }

  /** Runs a command that waits for a job; shows how it comes along and how it ended. */
  private async job(args: readonly string[]): Promise<JobView> {
    const { commands, output } = this.plan;
    const progress = new Progress(output, this.clock);
    let last: z.infer<typeof record> | undefined;
    try {
      await commands.read(args, (value) => {
        last = record.parse(value);
        progress.show(last.job);
      });
    } finally {
      progress.end();
    }
    const { job, notes } = last ?? {};
    if (job?.state !== 'done') throw new PermanentError(2, 'The job has not come to its end.');
    for (const { text } of (notes ?? []).slice(0, NOTES_SHOWN)) console.log(`  note: ${text}`);
    console.log(
      `  Job ${job.job}: status ${job.status}, ${job.statusText} (${job.imageId ?? '-'})`,
    );
    return job;
  }

  private async compare(originals: readonly string[], sinceMs: number): Promise<boolean> {
    console.log(
      '\nComparing every byte and all metadata of the original with what was restored ...',
    );
    const beganMs = this.clock.now().getTime();
    const results: ComparisonResult[] = [];
    for (const original of originals) results.push(await this.compareOne(original, sinceMs));
    this.plan.steps.add({ step: 'compare', ms: this.clock.now().getTime() - beganMs });
    const differences = results.flatMap((result) => result.differences);
    const leftOut = results.reduce((sum, result) => sum + result.leftOut, 0);
    if (leftOut > 0)
      console.log(`  Not compared: ${leftOut} (sockets, and what is mounted below).`);
    for (const { text, changedSince } of differences.slice(0, DIFFERENCES_SHOWN)) {
      console.log(`  ${text}${changedSince ? ' (changed since it was backed up)' : ''}`);
    }
    const changed = differences.filter(({ changedSince }) => changedSince).length;
    if (differences.length === 0) console.log('  No difference.');
    else console.log(`  ${differences.length} differences, ${changed} in files changed meanwhile.`);
    return differences.length === 0;
  }

  private async compareOne(original: string, sinceMs: number): Promise<ComparisonResult> {
    const { folder, signal } = this.plan;
    const restored = `${folder.restored}/${relative('/', original)}`;
    const program = fileURLToPath(new URL('compare-folders.js', import.meta.url));
    signal.throwIfAborted();
    const child = spawn(process.execPath, [program, original, restored, String(sinceMs)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const kill = () => child.kill();
    signal.addEventListener('abort', kill, { once: true });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    const [code] = await once(child, 'close');
    signal.removeEventListener('abort', kill);
    signal.throwIfAborted();
    if (code !== 0) throw new PermanentError(2, `The comparison of ${original} failed.`);
    return JSON.parse(text) as ComparisonResult;
  }
}

function figures({ progress, startedAt, endedAt }: JobView) {
  const ms = Date.parse(endedAt ?? '') - Date.parse(startedAt ?? '');
  return { files: progress.files, bytes: progress.bytes, ms };
}
