import { median } from '../measurement.js';
import type { CorpusName } from './corpora/corpora.js';
import { STEPS, type Step } from './data-tool.js';
import type { Usage } from './usage/usage.js';

/** After which backup the stored bytes are counted. `ten fulls`: of data that changes a little each time. */
export const STORED_AFTER = ['full', 'changed', 'ten fulls'] as const;
export type StoredAfter = (typeof STORED_AFTER)[number];

/** What one tool took for one corpus, round by round. */
export class Figures {
  private readonly usages = new Map<Step, Usage[]>();
  private readonly storedMb = new Map<StoredAfter, number[]>();

  constructor(
    readonly corpus: CorpusName,
    readonly tool: string,
  ) {}

  add(step: Step, usage: Usage): void {
    this.usages.set(step, [...(this.usages.get(step) ?? []), usage]);
  }

  addStored(after: StoredAfter, megabytes: number): void {
    this.storedMb.set(after, [...(this.storedMb.get(after) ?? []), megabytes]);
  }

  /** The median of the rounds; undefined where the tool cannot do it. */
  seconds(step: Step): number | undefined {
    return this.medianOf(step, ({ seconds }) => seconds);
  }

  cpuSeconds(step: Step): number | undefined {
    return this.medianOf(step, ({ cpuSeconds }) => cpuSeconds);
  }

  storedMegabytes(after: StoredAfter): number | undefined {
    const all = this.storedMb.get(after);
    return all && median(all);
  }

  /** The most in any step of any round. */
  peakMib(): number | undefined {
    return this.most(({ peakMib }) => peakMib);
  }

  allPeakMib(): number | undefined {
    return this.most(({ allPeakMib }) => allPeakMib);
  }

  private medianOf(step: Step, value: (usage: Usage) => number): number | undefined {
    const usages = this.usages.get(step);
    return usages && median(usages.map(value));
  }

  private most(value: (usage: Usage) => number): number | undefined {
    const all = STEPS.flatMap((step) => this.usages.get(step) ?? []).map(value);
    return all.length > 0 ? Math.max(...all) : undefined;
  }
}
