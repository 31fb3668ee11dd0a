import { Injectable, Logger } from '@nestjs/common';
import { subjectOf } from '#contracts/contract.js';
import {
  commitsOf,
  fragmentCommit,
  fragmentCommitMessage,
  fragmentCommitted,
  type FragmentCommit,
  type FragmentReceipt,
  type Verdict,
} from '#contracts/fragment.js';
import { assert } from '#kernel/assert.js';
import { failureKind } from '#kernel/database-failure.js';
import { messageOf } from '#kernel/errors.js';
import { uuidOf } from '#kernel/ids.js';
import type { Delivery } from '#messaging/batch-consumer.js';
import { parseInput } from '#messaging/validation.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { CatalogConfig } from './config.js';
import { copyKey, grouped, newsOfCopies, sendReceipts } from './domain/commit-messages.js';
import { Completions } from './file-index/completions.js';
import { SentIndexes, type SentTrees } from './file-index/sent-indexes.js';
import { shouldPark } from './domain/parking.js';
import { judge, mayCommit, recalledFence } from './domain/verdict.js';
import { CatalogEpoch } from './persistence/catalog-epoch.js';
import { Fragments, type CopyFence } from './persistence/fragments.js';
import { ParkedMessageRow } from './persistence/entities/parked-message.entity.js';

const NO_TREES: SentTrees = new Map();

/** One commit of a delivery, which may have brought several. */
interface Offer {
  readonly delivery: Delivery;
  /** As it came. */
  readonly payload: unknown;
  readonly commit: FragmentCommit;
}

/**
 * Commits fragments, a batch at a time, exactly once: one transaction with a handful of set-based
 * statements, whatever the size of the batch. Every delivery gets a receipt, repeats too; the world
 * hears of a fragment the first time only.
 */
@Injectable()
export class CommitBatches {
  private readonly logger = new Logger('commits');
  private notify: (mediaIds: ReadonlySet<string>) => void = () => undefined;

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly epoch: CatalogEpoch,
    private readonly config: CatalogConfig,
    private readonly sentIndexes: SentIndexes,
    private readonly completions: Completions,
  ) {}

  /** Called after each transaction that put fragments in whose indexes are to be loaded, with whose. */
  whenCommitted(notify: (mediaIds: ReadonlySet<string>) => void): void {
    this.notify = notify;
  }

  /**
   * Returns when each delivery is judged or parked. Throws when some should be delivered again;
   * what was committed by then is only repeated.
   */
  async handle(batch: readonly Delivery[]): Promise<void> {
    const offers: Offer[] = [];
    for (const delivery of batch) {
      // Each by itself, so that a bad one holds up no other.
      for (const payload of commitsOf(delivery.payload)) {
        try {
          offers.push({ delivery, payload, commit: commitOf(delivery, payload) });
        } catch (error) {
          await this.park(delivery, payload, messageOf(error));
        }
      }
    }
    for (let from = 0; from < offers.length; from += this.config.batchMax) {
      await this.isolating(offers.slice(from, from + this.config.batchMax));
    }
  }

  /** Judges offers at once, without the broker in between. Throws `Unavailable` and the like. */
  async offer(commits: readonly FragmentCommit[]): Promise<FragmentReceipt[]> {
    const { offers, trees } = await this.sentIndexes.unpack(commits);
    try {
      return await this.commit(offers, trees);
    } catch (error) {
      // It may be about an index: no index stops a commit, and the loader will say what is wrong with it.
      if (trees.size === 0 || failureKind(error) === 'outage') throw error;
      this.logger.warn(`commits without the indexes that came with them: ${messageOf(error)}`);
      return this.commit(offers, NO_TREES);
    }
  }

  private async commit(
    offers: readonly FragmentCommit[],
    sent: SentTrees,
  ): Promise<FragmentReceipt[]> {
    const catalogEpoch = await this.epoch.get();
    const { receipts, toLoad, complete } = await this.unitOfWork.run(async (unit) => {
      const loadable = await this.sentIndexes.hold(unit, sent);
      const situation = { catalogEpoch, trees: loadable.trees };
      const { receipts, loaded, toLoad } = await commitFragments(unit, offers, situation);
      const complete = await this.sentIndexes.load(unit, loaded, loadable);
      return { receipts, toLoad, complete };
    });
    if (toLoad.length > 0) this.notify(new Set(toLoad.map(({ mediaId }) => mediaId)));
    for (const imageId of complete) this.completions.tell(imageId);
    return receipts;
  }

  /** Halves a batch that fails until the one commit that spoils it is alone. */
  private async isolating(offers: readonly Offer[]): Promise<void> {
    try {
      await this.offer(offers.map(({ commit }) => commit));
    } catch (error) {
      const kind = failureKind(error);
      if (kind === 'outage') throw error;
      const [first, second] = offers;
      if (second !== undefined) {
        const middle = Math.ceil(offers.length / 2);
        await this.isolating(offers.slice(0, middle));
        await this.isolating(offers.slice(middle));
      } else if (shouldPark(kind, first!.delivery.deliveries)) {
        await this.park(first!.delivery, first!.payload, messageOf(error));
      } else {
        throw error;
      }
    }
  }

  private async park(delivery: Delivery, offered: unknown, reason: string): Promise<void> {
    const { subject, deliveries } = delivery;
    this.logger.error(`parked ${subject}: ${reason}`);
    const payload = JSON.stringify(offered) ?? '';
    // Several of one message may be parked, each of them once.
    const messageId = `${delivery.messageId}:${uuidOf(payload)}`;
    await this.unitOfWork.run(({ db }) =>
      db.upsert(ParkedMessageRow, { messageId, subject, payload, reason, deliveries }, [
        'messageId',
      ]),
    );
  }
}

/** @throws InvalidInput where it is no commit, or not one for the subject it came on. */
function commitOf(delivery: Delivery, payload: unknown): FragmentCommit {
  const commit = parseInput(fragmentCommit, payload);
  // Ids are compared as text, and PostgreSQL writes them so.
  if (commit.fragmentId !== commit.fragmentId.toLowerCase())
    throw new Error('its id is upper case');
  // The broker lets a media server publish on its own subjects only; the payload must agree.
  const token = payload === delivery.payload ? commit.fragmentId : lastToken(delivery.subject);
  const subject = subjectOf(fragmentCommitMessage, commit.mediaId, token);
  if (subject !== delivery.subject) throw new Error(`it belongs on ${subject}`);
  return commit;
}

function lastToken(subject: string): string {
  return subject.slice(subject.lastIndexOf('.') + 1);
}

interface Outcome {
  readonly receipts: FragmentReceipt[];
  /** What has gone in as loaded: its trees must follow. */
  readonly loaded: readonly FragmentCommit[];
  /** What has gone in and is to be loaded later. */
  readonly toLoad: readonly FragmentCommit[];
}

async function commitFragments(
  unit: Work,
  commits: readonly FragmentCommit[],
  { catalogEpoch, trees }: { catalogEpoch: string; trees: SentTrees },
): Promise<Outcome> {
  const fragments = new Fragments(unit.db);
  const fences = await recalled(fragments, commits, await fragments.lockFences(commits));
  const fenceOf = (commit: FragmentCommit) => fences.get(copyKey(commit));
  const twinOf = await fragments.twins(commits.filter((commit) => fenceOf(commit)?.hasOthers));
  // Of an image that has something already a number's index may be there, from what had it before.
  const isLoaded = (commit: FragmentCommit) => trees.has(commit) && isAllNew(fenceOf(commit));
  const inserted = await fragments.insertNew(
    commits.filter((commit) => mayCommit(commit, fenceOf(commit), twinOf(commit))),
    isLoaded,
  );
  const isPlain = inserted.size === commits.length;
  const existing = isPlain
    ? (commit: FragmentCommit) => ({ same: commit, holder: commit })
    : await fragments.existing(commits);

  const refused = new Map<FragmentCommit, Verdict>();
  const fresh = new Set(inserted);
  const news: FragmentCommit[] = [];
  const receipts = commits.map((commit): FragmentReceipt => {
    const { fragmentId, mediaId } = commit;
    const verdict = judge(commit, { ...existing(commit), twin: twinOf(commit) }, fenceOf(commit));
    if (verdict !== 'COMMITTED') refused.set(commit, verdict);
    else if (fresh.delete(fragmentId)) news.push(commit);
    return { fragmentId, mediaId, verdict, catalogEpoch };
  });
  sendReceipts(unit, receipts);
  for (const told of newsOfCopies(news)) unit.announce(fragmentCommitted, told.imageId, told);
  await fragments.remember(refused);
  const loaded = news.filter(isLoaded);
  const promised = commits.filter((one) => isLoaded(one) && inserted.has(one.fragmentId));
  const promisedIds = new Set(promised.map(({ fragmentId }) => fragmentId));
  assert(promisedIds.size === loaded.length, 'a fragment counts as loaded and is no news');
  return { receipts, loaded, toLoad: news.filter((commit) => !isLoaded(commit)) };
}

function isAllNew(fence: CopyFence | undefined): boolean {
  return fence !== undefined && fence.isEmpty && !fence.hasOthers;
}

/** The fences, with those raised that the catalog has forgotten to have granted. */
async function recalled(
  fragments: Fragments,
  commits: readonly FragmentCommit[],
  fences: ReadonlyMap<string, CopyFence>,
): Promise<ReadonlyMap<string, CopyFence>> {
  const isHigher = (commit: FragmentCommit) =>
    commit.attempt > (fences.get(copyKey(commit))?.attempt ?? Number.MAX_SAFE_INTEGER);
  if (!commits.some(isHigher)) return fences;
  const raised = new Map(fences);
  const copies: Pick<FragmentCommit, 'imageId' | 'copy' | 'attempt'>[] = [];
  for (const [key, offers] of grouped(commits, copyKey)) {
    const fence = fences.get(key);
    const attempt = recalledFence(
      fence,
      offers.map((each) => each.attempt),
    );
    if (!fence || attempt === undefined) continue;
    copies.push({ ...offers[0]!, attempt });
    raised.set(key, { ...fence, attempt });
  }
  await fragments.raiseFences(copies);
  return raised;
}
