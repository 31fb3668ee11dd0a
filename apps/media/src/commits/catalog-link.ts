import { Injectable } from '@nestjs/common';
import {
  fragmentCommitMessage,
  fragmentReceipt,
  type FragmentCommit,
  type FragmentReceipt,
} from '#contracts/fragment.js';
import { subjectOf, subjectToken } from '#contracts/contract.js';
import { catalogFragmentOffer, catalogFragmentStatus } from '#contracts/image.js';
import { mediaReceipts } from '#contracts/streams.js';
import { BatchConsumer, type Delivery } from '#messaging/batch-consumer.js';
import { Nats } from '#messaging/connection.js';
import { Publisher } from '#messaging/publisher.js';
import { Requests } from '#messaging/requests.js';
import type { CatalogInquiry, CommitPublisher } from './commit-offers.js';
import { MediaConfig } from '../config.js';

const RECEIPTS_MAX = 256;

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

  publish(commit: FragmentCommit): Promise<void> {
    return this.publisher.publish({
      subject: subjectOf(fragmentCommitMessage, commit.mediaId, commit.fragmentId),
      payload: commit,
      id: commit.fragmentId,
      contentType: 'application/json',
    });
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

  /** Hands every receipt to `take`; one that could not be taken is delivered again. */
  listen(take: (receipt: FragmentReceipt) => Promise<void>): void {
    const spec = mediaReceipts(subjectToken(this.config.mediaId));
    this.receipts = new BatchConsumer(this.nats, {
      spec,
      batchMax: RECEIPTS_MAX,
      lingerMs: 0,
      own: true,
      handle: async (batch) => {
        await Promise.all(parse(batch).map(take));
      },
    });
    this.receipts.start();
  }

  async hangUp(): Promise<void> {
    await this.receipts?.stop();
  }
}

function parse(batch: readonly Delivery[]): FragmentReceipt[] {
  return batch.flatMap(({ payload }) => {
    const receipt = fragmentReceipt.safeParse(payload);
    return receipt.success ? [receipt.data] : [];
  });
}
