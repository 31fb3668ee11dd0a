import { settle, type Behind } from './catch-up.js';

/** Why it is not certain which chunks nobody needs: recipes that are held, and whose chunks do not count. */
export class Doubts {
  /** @param uncounted See `catchUp`. */
  constructor(
    private readonly behind: Behind,
    private uncounted: readonly string[],
  ) {}

  get isNone(): boolean {
    return this.uncounted.length === 0;
  }

  /**
   * What has been mended meanwhile, or given up, is none any more. Undefined if all is
   * certain. Not while anything comes out of the trash.
   */
  async first(): Promise<string | undefined> {
    const left: string[] = [];
    for (const fragmentId of this.uncounted) {
      const reference = this.behind.ledger.state.get(fragmentId);
      if (reference && !(await settle(this.behind, reference))) left.push(fragmentId);
    }
    this.uncounted = left;
    const [fragmentId] = left;
    if (fragmentId === undefined) return undefined;
    const more = left.length > 1 ? ` (and of ${left.length - 1} others)` : '';
    return (
      `the recipe of fragment ${fragmentId}${more} cannot be read, or names chunks that are not there. ` +
      `Bring back the files that are missing; the next backup of that client brings chunks back, too. Or ` +
      `expire that copy of its image ("holdfast image expire IMAGE --copy N"), from which a good one may be ` +
      `duplicated again`
    );
  }
}
