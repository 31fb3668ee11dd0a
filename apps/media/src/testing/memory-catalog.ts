import type { FragmentCommit, FragmentReceipt, Tombstone, Verdict } from '#contracts/fragment.js';
import { Unavailable } from '#kernel/errors.js';
import { uuidOf } from '#kernel/ids.js';
import type { CatalogInquiry, CommitPublisher } from '../commits/commit-offers.js';
import type { DeletionCatalog, Removal } from '../removal/removals.js';

/**
 * A catalog and the broker before it, in memory, that can be told to fail. It commits each fragment
 * once and answers every delivery.
 */
export class MemoryCatalog implements CommitPublisher, CatalogInquiry, DeletionCatalog {
  readonly committed = new Map<string, FragmentCommit>();
  /** Commits that were offered, not messages. */
  published = 0;
  asked = 0;
  /** Commits that came past the broker. */
  offered = 0;
  /** The broker cannot be reached. */
  brokerDown = false;
  /** The broker acknowledges and forgets. */
  losesCommits = false;
  losesReceipts = false;
  inquiryDown = false;
  /** Tombstones by their id, with the fragment that each is for. */
  readonly granted = new Map<string, string>();
  readonly deleted: string[] = [];
  /** A process before this one has granted. */
  confirmsAll = false;
  claimed = 0;
  /** Claims and reports get no answer. */
  deletionsDown = false;
  reportsDown = false;
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

  async fragmentStatus(fragmentIds: readonly string[]) {
    this.asked += 1;
    if (this.inquiryDown) throw new Unavailable('no catalog');
    const known = fragmentIds.flatMap((id) => this.committed.get(id) ?? []);
    return {
      receipts: known.map((commit) => receipt(commit, 'COMMITTED')),
      unknown: fragmentIds.filter((id) => !this.committed.has(id)),
    };
  }

  async fragmentOffer(commits: readonly FragmentCommit[]): Promise<FragmentReceipt[]> {
    this.offered += commits.length;
    if (this.inquiryDown) throw new Unavailable('no catalog');
    return commits.map((commit) => this.receive(commit));
  }

  /** Grants the deletion of a fragment that it has committed. */
  grant(fragmentId: string, over: Partial<Tombstone> = {}): Tombstone {
    const { imageId, copy, number, mediaId, digest, storedBytes } = this.committed.get(fragmentId)!;
    const what = { fragmentId, imageId, copy, number, mediaId, digest, storedBytes };
    const when = { catalogEpoch: 'epoch-1', grantedAt: '2026-11-01T00:00:00.000Z' };
    const tombstoneId = uuidOf(`tombstone ${fragmentId}`);
    const granted = { tombstoneId, ...what, ...when, reason: 'a test', ...over };
    this.granted.set(granted.tombstoneId, fragmentId);
    return granted;
  }

  async claim({ tombstoneId, fragmentId }: Removal) {
    this.claimed += 1;
    if (this.deletionsDown) throw new Unavailable('no catalog');
    const confirmed = this.confirmsAll || this.granted.get(tombstoneId) === fragmentId;
    return { confirmed, reason: confirmed ? '' : 'it is not granted' };
  }

  /** Deletions that it has forgotten to have granted. */
  readonly forgotten = new Set<string>();

  async report(removals: readonly Removal[]): Promise<string[]> {
    if (this.deletionsDown || this.reportsDown) throw new Unavailable('no catalog');
    const ids = removals.map(({ fragmentId }) => fragmentId);
    this.deleted.push(...ids.filter((id) => !this.forgotten.has(id)));
    return ids.filter((id) => this.forgotten.has(id));
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
