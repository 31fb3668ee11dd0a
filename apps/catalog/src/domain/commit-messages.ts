import type { Message, PayloadOf } from '#contracts/contract.js';
import {
  bundleId,
  fragmentReceiptMessage,
  fragmentReceiptsMessage,
  type fragmentCommitted,
  type FragmentCommit,
  type FragmentReceipt,
} from '#contracts/fragment.js';

/** What takes messages that go out once a transaction has committed. */
export interface Sends {
  send<M extends Message>(contract: M, ids: readonly string[], payload: PayloadOf<M>): void;
}

/** One (image, copy) as a key. */
export function copyKey(of: Pick<FragmentCommit, 'imageId' | 'copy'>): string {
  return `${of.imageId}/${of.copy}`;
}

/** One message for each media server. */
export function sendReceipts(unit: Sends, all: readonly FragmentReceipt[]): void {
  for (const [mediaId, receipts] of grouped(all, (receipt) => receipt.mediaId)) {
    const id = bundleId(receipts.map(({ fragmentId }) => fragmentId));
    const { catalogEpoch } = receipts[0]!;
    const verdicts = receipts.map(({ fragmentId, verdict }) => ({ fragmentId, verdict }));
    if (receipts.length === 1) unit.send(fragmentReceiptMessage, [mediaId, id], receipts[0]!);
    else unit.send(fragmentReceiptsMessage, [mediaId, id], { mediaId, catalogEpoch, verdicts });
  }
}

/** What the world is told: one event for each copy. */
export function newsOfCopies(
  news: readonly FragmentCommit[],
): PayloadOf<typeof fragmentCommitted>[] {
  return [...grouped(news, copyKey).values()].map((commits) => {
    const { imageId, copy } = commits[0]!;
    return { imageId, copy, fragments: commits.map(newsOf) };
  });
}

function newsOf(commit: FragmentCommit) {
  const { fragmentId, number, mediaId, pool, archiveBytes, storedBytes, digest, last } = commit;
  return { fragmentId, number, mediaId, pool, archiveBytes, storedBytes, digest, last };
}

export function grouped<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group) group.push(one);
    else groups.set(keyOf(one), [one]);
  }
  return groups;
}
