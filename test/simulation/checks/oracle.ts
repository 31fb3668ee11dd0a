import type { FragmentReceipt } from '#contracts/fragment.js';
import { FRAGMENT } from '../actors/tables.js';
import { Violation } from '../kernel/world.js';
import type { SimDatabase } from '../parts/sim-database.js';

/** What the programs cannot know: everything that was ever decided, by whomever, in any timeline. */
export class Oracle {
  private readonly verdicts = new Set<string>();
  private readonly confirmed = new Set<string>();

  constructor(private readonly database: SimDatabase) {}

  /** A catalog gave these verdicts, and its transaction has committed. */
  wasJudged(receipts: readonly FragmentReceipt[]): void {
    for (const each of receipts) {
      const isThere = this.database.committed(FRAGMENT).has(each.fragmentId);
      if (each.verdict === 'COMMITTED' && !isThere) {
        throw new Violation('I4 exactly once', `${each.fragmentId} is COMMITTED and not there`);
      }
      this.verdicts.add(verdictKey(each));
    }
  }

  /** A catalog said yes to the removal of a fragment, out of a grant that was committed. */
  wasConfirmed(fragmentId: string): void {
    this.confirmed.add(fragmentId);
  }

  gave(receipt: Omit<FragmentReceipt, 'mediaId'>): boolean {
    return this.verdicts.has(verdictKey(receipt));
  }

  isConfirmed(fragmentId: string): boolean {
    return this.confirmed.has(fragmentId);
  }
}

function verdictKey({
  fragmentId,
  verdict,
  catalogEpoch,
}: Omit<FragmentReceipt, 'mediaId'>): string {
  return `${fragmentId} ${verdict} ${catalogEpoch}`;
}
