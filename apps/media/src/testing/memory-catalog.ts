import type { FragmentCommit, FragmentReceipt, Verdict } from '#contracts/fragment.js';
import type { CatalogInquiry, CommitPublisher } from '../commits/commit-offers.js';

/**
 * A catalog and the broker before it, in memory, that can be told to fail. It commits each fragment
 * once and answers every delivery.
 */
export class MemoryCatalog implements CommitPublisher, CatalogInquiry {
  readonly committed = new Map<string, FragmentCommit>();
  /** Commits that were offered, not messages. */
  published = 0;
  asked = 0;
  /** The broker cannot be reached. */
  brokerDown = false;
  /** The broker acknowledges and forgets. */
  losesCommits = false;
  losesReceipts = false;
  inquiryDown = false;
  /** What it says of a fragment that it has not committed. */
  judge: (commit: FragmentCommit) => Verdict = () => 'COMMITTED';
  /** Where receipts go. */
  onReceipt: (receipt: FragmentReceipt) => Promise<void> = async () => undefined;

  async publish(commits: readonly FragmentCommit[]): Promise<void> {
    this.published += commits.length;
    if (this.brokerDown) throw new Error('no responders');
    if (this.losesCommits) return;
    for (const receipt of commits.map((commit) => this.receive(commit))) {
      if (!this.losesReceipts) setImmediate(() => void this.onReceipt(receipt));
    }
  }

  async fragmentStatus(fragmentIds: readonly string[]): Promise<FragmentReceipt[]> {
    this.asked += 1;
    if (this.inquiryDown) throw new Error('timeout');
    const known = fragmentIds.map((id) => this.committed.get(id));
    return known
      .filter((commit) => commit !== undefined)
      .map((commit) => receipt(commit, 'COMMITTED'));
  }

  private receive(commit: FragmentCommit): FragmentReceipt {
    const verdict = this.committed.has(commit.fragmentId) ? 'COMMITTED' : this.judge(commit);
    if (verdict === 'COMMITTED') this.committed.set(commit.fragmentId, commit);
    return receipt(commit, verdict);
  }
}

function receipt(commit: FragmentCommit, verdict: Verdict): FragmentReceipt {
  const { fragmentId, mediaId } = commit;
  return { fragmentId, mediaId, verdict, catalogEpoch: 'epoch-1' };
}
