import { VERIFY_ANSWER_MS } from '#contracts/media.js';
import { Turns } from '#service/turns.js';
import { within } from '#service/within.js';
import { checkFragment, type CheckedFragment } from './fragment-check.js';
import type { Holding } from './holdings.js';

/** Fragments of a volume that are read whole at once because somebody asked. */
const CHECKS_MAX = 2;
/** Nobody has asked again for what was found: it is not true for ever. */
const KEPT_MS = 60_000;

export interface FragmentChecksOptions {
  readonly check?: (holding: Holding) => Promise<CheckedFragment>;
  readonly answerMs?: number;
  readonly keptMs?: number;
}

/**
 * Has fragments read whole for others, some of a volume at a time, and each once however often it is asked for
 * meanwhile. A volume that hangs holds up no other.
 */
export class FragmentChecks {
  /** By the volume's id. */
  private readonly turns = new Map<string, Turns>();
  private readonly checks = new Map<string, Promise<CheckedFragment>>();

  constructor(private readonly options: FragmentChecksOptions = {}) {}

  /**
   * What was found when a fragment was read; undefined where that is not done yet: ask again, within a minute.
   * Throws what kept it from being read.
   */
  async look(holding: Holding): Promise<CheckedFragment | undefined> {
    const { answerMs = VERIFY_ANSWER_MS } = this.options;
    const check = this.checks.get(holding.fragmentId) ?? this.begin(holding);
    const outcome = check.then(
      (found) => ({ found }),
      (error: unknown) => ({ error }),
    );
    const ended = await within(answerMs, outcome);
    if (!ended) return undefined;
    this.forget(holding.fragmentId, check);
    if ('error' in ended) throw ended.error;
    return ended.found;
  }

  private begin(holding: Holding): Promise<CheckedFragment> {
    const { check: read = checkFragment, keptMs = KEPT_MS } = this.options;
    const { fragmentId, volume } = holding;
    const turns = this.turns.get(volume.volumeId) ?? new Turns(CHECKS_MAX);
    this.turns.set(volume.volumeId, turns);
    const check = turns.take(() => read(holding));
    this.checks.set(fragmentId, check);
    const ended = () => void setTimeout(() => this.forget(fragmentId, check), keptMs).unref();
    check.then(ended, ended);
    return check;
  }

  private forget(fragmentId: string, check: Promise<CheckedFragment>): void {
    if (this.checks.get(fragmentId) === check) this.checks.delete(fragmentId);
  }
}
