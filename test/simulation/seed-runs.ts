import { FAULT_KINDS } from './kernel/faults.js';
import { runSeed, type SeedOptions } from './run-seed.js';

/** What a thousand seeds have to meet: a simulator whose worlds are too mild would prove nothing. */
export const MUST_MEET: readonly string[] = [
  ...FAULT_KINDS.map((kind) => `fault ${kind}`),
  ...['COMMITTED', 'SUPERSEDED', 'FENCED', 'UNKNOWN_IMAGE'].map((each) => `verdict ${each}`),
  ...['INTENT', 'SEALED', 'VERDICT', 'CONDEMNED', 'REMOVED', 'REPORTED', 'TAKEN_BACK'].map(
    (each) => `journal ${each}`,
  ),
  ...['ACTIVE to TO_BE_DELETED', 'TO_BE_DELETED to ACTIVE', 'TO_BE_DELETED to DELETING'],
  ...['DELETING to DELETED', 'ACTIVE to DAMAGED', 'forgotten: DELETED, was ACTIVE'],
  ...['finding offer-again', 'finding take-back', 'finding grant-again', 'finding mark-damaged'],
  ...['torn journal', 'a proof that the catalog went back'],
  ...['backup goes on in another attempt', 'duplicate goes on in another attempt'],
  ...['backup ends with 0', 'duplicate ends with 0'],
];

/** Runs seeds one after another, and keeps what they had to say. */
export class SeedRuns {
  /** What each failed seed says of itself: what broke, and how to see it again. */
  readonly failures: string[] = [];
  steps = 0;
  faults = 0;
  private readonly met = new Set<string>();

  constructor(private readonly options: SeedOptions) {}

  async run(from: number, count: number, onFailure: (text: string) => void): Promise<void> {
    const { mode } = this.options;
    for (let seed = from; seed < from + count; seed += 1) {
      const { violation, met, steps, faults } = await runSeed(String(seed), this.options);
      this.steps += steps;
      this.faults += faults.length;
      for (const what of met.keys()) this.met.add(what);
      if (!violation) continue;
      const again = `npm run simulate -- --seed ${seed} --mode ${mode}`;
      this.failures.push(`${violation.message}\n  ${again}`);
      onFailure(this.failures.at(-1)!);
    }
  }

  /** What none of the seeds has met. */
  get missed(): string[] {
    return MUST_MEET.filter((what) => !this.met.has(what));
  }
}
