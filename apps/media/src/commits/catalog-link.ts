import { Injectable } from '@nestjs/common';
import {
  catalogFragmentOffer,
  catalogFragmentStatus,
  type FragmentCommit,
  type FragmentReceipt,
  receiptsOf,
} from '#contracts/fragment.js';
import { subjectToken } from '#contracts/contract.js';
import { mediaReceipts } from '#contracts/streams.js';
import { BatchConsumer } from '#messaging/batch-consumer.js';
import { Nats } from '#messaging/connection.js';
import { Publisher } from '#messaging/publisher.js';
import { Requests } from '#messaging/requests.js';
import type { CatalogInquiry, CommitPublisher } from './commit-offers.js';
import { commitMessageOf } from './commit.js';
import { MediaConfig } from '../config.js';

/** Messages that are taken at once; each may hold hundreds of receipts. */
const MESSAGES_MAX = 64;

/** How this media server and the catalog speak: commits out, receipts in, and the direct question. */
@Injectable()
export class CatalogLink implements CommitPublisher, CatalogInquiry {
  private receipts: BatchConsumer | undefined;

  constructor(
    private readonly nats: Nats,
    private readonly publisher: Publisher,
    private readonly requests: Requests,
    private readonly config: MediaConfig,
  ) {}

  publish(commits: readonly FragmentCommit[]): Promise<void> {
    const message = commitMessageOf(this.config.mediaId, commits);
    return this.publisher.publish({ ...message, contentType: 'application/json' });
  }

  fragmentStatus(fragmentIds: readonly string[]): ReturnType<CatalogInquiry['fragmentStatus']> {
    const { mediaId } = this.config;
    return this.requests.call(catalogFragmentStatus, { mediaId, fragmentIds: [...fragmentIds] });
  }

  async fragmentOffer(commits: readonly FragmentCommit[]): Promise<readonly FragmentReceipt[]> {
    const { mediaId } = this.config;
    return (await this.requests.call(catalogFragmentOffer, { mediaId, commits: [...commits] }))
      .receipts;
  }

  /** Hands receipts to `take`; what could not be taken is delivered again. */
  listen(take: (receipts: readonly FragmentReceipt[]) => Promise<void>): void {
    const spec = mediaReceipts(subjectToken(this.config.mediaId));
    this.receipts = new BatchConsumer(this.nats, {
      spec,
      batchMax: MESSAGES_MAX,
      lingerMs: 0,
      own: true,
      handle: (batch) => take(batch.flatMap(({ payload }) => receiptsOf(payload))),
    });
    this.receipts.start();
  }

  async hangUp(): Promise<void> {
    await this.receipts?.stop();
  }
}
