import { Injectable } from '@nestjs/common';
import {
  fragmentCommitMessage,
  fragmentCommitsMessage,
  receiptsOf,
  type FragmentCommit,
  type FragmentReceipt,
} from '#contracts/fragment.js';
import { subjectOf, subjectToken } from '#contracts/contract.js';
import { catalogFragmentStatus } from '#contracts/image.js';
import { mediaReceipts } from '#contracts/streams.js';
import { uuidOf } from '#kernel/ids.js';
import { BatchConsumer } from '#messaging/batch-consumer.js';
import { Nats } from '#messaging/connection.js';
import { Publisher } from '#messaging/publisher.js';
import { Requests } from '#messaging/requests.js';
import { ensureOwnConsumer } from '#messaging/topology.js';
import type { CatalogInquiry, CommitPublisher } from './commit-offers.js';
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
    const { mediaId } = this.config;
    const ids = commits.map(({ fragmentId }) => fragmentId);
    const isAlone = commits.length === 1;
    const id = isAlone ? ids[0]! : uuidOf(ids.join());
    return this.publisher.publish({
      subject: subjectOf(isAlone ? fragmentCommitMessage : fragmentCommitsMessage, mediaId, id),
      payload: isAlone ? commits[0] : { commits },
      id,
      contentType: 'application/json',
    });
  }

  async fragmentStatus(fragmentIds: readonly string[]): Promise<readonly FragmentReceipt[]> {
    const { mediaId } = this.config;
    const request = { mediaId, fragmentIds: [...fragmentIds] };
    return (await this.requests.call(catalogFragmentStatus, request)).receipts;
  }

  /** Hands every receipt to `take`; one that could not be taken is delivered again. */
  async listen(take: (receipt: FragmentReceipt) => Promise<void>): Promise<void> {
    const spec = mediaReceipts(subjectToken(this.config.mediaId));
    await ensureOwnConsumer(this.nats, spec);
    this.receipts = new BatchConsumer(this.nats, {
      spec,
      batchMax: MESSAGES_MAX,
      lingerMs: 0,
      handle: async (batch) => {
        await Promise.all(batch.flatMap(({ payload }) => receiptsOf(payload)).map(take));
      },
    });
    this.receipts.start();
  }

  async hangUp(): Promise<void> {
    await this.receipts?.stop();
  }
}
