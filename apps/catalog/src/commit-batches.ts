import { Injectable, Logger } from '@nestjs/common';
import { subjectOf } from '#contracts/contract.js';
import {
  fragmentCommit,
  fragmentCommitMessage,
  fragmentCommitted,
  fragmentReceiptMessage,
  type FragmentCommit,
  type FragmentReceipt,
  type Verdict,
} from '#contracts/fragment.js';
import { messageOf } from '#kernel/errors.js';
import type { Delivery } from '#messaging/batch-consumer.js';
import { parseInput } from '#messaging/validation.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { failureKind, shouldPark } from './domain/failure-kind.js';
import { judge, mayCommit } from './domain/verdict.js';
import { CatalogEpoch } from './persistence/catalog-epoch.js';
import { copyKey, Fragments } from './persistence/fragments.js';
import { ParkedMessageRow } from './persistence/side-tables.entity.js';

/**
 * Commits fragments, a batch at a time, exactly once: one transaction with a handful of set-based
 * statements, whatever the size of the batch. Every delivery gets a receipt, repeats too; the world
 * hears of a fragment the first time only.
 */
@Injectable()
export class CommitBatches {
  private readonly logger = new Logger('commits');
  private notify: () => void = () => undefined;

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly epoch: CatalogEpoch,
  ) {}

  /** Called after each transaction that put fragments in. */
  whenCommitted(notify: () => void): void {
    this.notify = notify;
  }

  /**
   * Returns when each delivery is judged or parked. Throws when some should be delivered again;
   * what was committed by then is only repeated.
   */
  async handle(batch: readonly Delivery[]): Promise<void> {
    const commits: { delivery: Delivery; commit: FragmentCommit }[] = [];
    for (const delivery of batch) {
      try {
        commits.push({ delivery, commit: commitOf(delivery) });
      } catch (error) {
        await this.park(delivery, messageOf(error));
      }
    }
    if (commits.length > 0) await this.isolating(commits);
  }

  /** Judges offers at once, without the broker in between. Throws `Unavailable` and the like. */
  async offer(commits: readonly FragmentCommit[]): Promise<FragmentReceipt[]> {
    const catalogEpoch = await this.epoch.get();
    const outcome = await this.unitOfWork.run((unit) =>
      commitFragments(unit, commits, catalogEpoch),
    );
    if (outcome.committed > 0) this.notify();
    return outcome.receipts;
  }

  /** Halves a batch that fails until the one message that spoils it is alone. */
  private async isolating(
    commits: readonly { delivery: Delivery; commit: FragmentCommit }[],
  ): Promise<void> {
    try {
      await this.offer(commits.map(({ commit }) => commit));
    } catch (error) {
      const kind = failureKind(error);
      if (kind === 'outage') throw error;
      const [first, second] = commits;
      if (second !== undefined) {
        const middle = Math.ceil(commits.length / 2);
        await this.isolating(commits.slice(0, middle));
        await this.isolating(commits.slice(middle));
      } else if (shouldPark(kind, first!.delivery.deliveries)) {
        await this.park(first!.delivery, messageOf(error));
      } else {
        throw error;
      }
    }
  }

  private async park(delivery: Delivery, reason: string): Promise<void> {
    const { messageId, subject, deliveries } = delivery;
    this.logger.error(`parked ${subject}: ${reason}`);
    const payload = JSON.stringify(delivery.payload) ?? '';
    await this.unitOfWork.run(({ db }) =>
      db.upsert(ParkedMessageRow, { messageId, subject, payload, reason, deliveries }, [
        'messageId',
      ]),
    );
  }
}

/** @throws InvalidInput where it is no commit, or not one for the subject it came on. */
function commitOf(delivery: Delivery): FragmentCommit {
  const commit = parseInput(fragmentCommit, delivery.payload);
  // Ids are compared as text, and PostgreSQL writes them so.
  if (commit.fragmentId !== commit.fragmentId.toLowerCase())
    throw new Error('its id is upper case');
  // The broker lets a media server publish on its own subjects only; the payload must agree.
  const subject = subjectOf(fragmentCommitMessage, commit.mediaId, commit.fragmentId);
  if (subject !== delivery.subject) throw new Error(`it belongs on ${subject}`);
  return commit;
}

async function commitFragments(
  unit: Work,
  commits: readonly FragmentCommit[],
  catalogEpoch: string,
): Promise<{ receipts: FragmentReceipt[]; committed: number }> {
  const fragments = new Fragments(unit.db);
  const fences = await fragments.lockFences(commits);
  const fenceOf = (commit: FragmentCommit) => fences.get(copyKey(commit));
  const twinOf = await fragments.twins(commits.filter((commit) => fenceOf(commit)?.hasOthers));
  const inserted = await fragments.insertNew(
    commits.filter((commit) => mayCommit(commit, fenceOf(commit), twinOf(commit))),
  );
  const isPlain = inserted.size === commits.length;
  const existing = isPlain
    ? (commit: FragmentCommit) => ({ same: commit, holder: commit })
    : await fragments.existing(commits);

  const refused = new Map<FragmentCommit, Verdict>();
  const fresh = new Set(inserted);
  const receipts = commits.map((commit): FragmentReceipt => {
    const { fragmentId, mediaId } = commit;
    const verdict = judge(commit, { ...existing(commit), twin: twinOf(commit) }, fenceOf(commit));
    if (verdict !== 'COMMITTED') refused.set(commit, verdict);
    else if (fresh.delete(fragmentId)) unit.announce(fragmentCommitted, fragmentId, commit);
    return { fragmentId, mediaId, verdict, catalogEpoch };
  });
  for (const receipt of receipts) {
    unit.send(fragmentReceiptMessage, [receipt.mediaId, receipt.fragmentId], receipt);
  }
  await fragments.remember(refused);
  return { receipts, committed: inserted.size };
}
