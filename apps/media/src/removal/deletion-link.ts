import { Injectable } from '@nestjs/common';
import { deleteClaim, deleteReport } from '#contracts/catalog/expiry.js';
import { subjectToken } from '#contracts/contract.js';
import { tombstone, type Tombstone } from '#contracts/fragment.js';
import { mediaDeletes } from '#contracts/streams.js';
import { BatchConsumer } from '#messaging/batch-consumer.js';
import { Nats } from '#messaging/connection.js';
import { Requests } from '#messaging/requests.js';
import { MediaConfig } from '../config.js';
import type { DeletionCatalog, Removal } from './removals.js';

/** A deletion takes some syncs of folders: so many are done well within the acknowledgement's time. */
const GRANTS_MAX = 64;

/** How this media server and the catalog speak of deletions: grants in, claims and reports out. */
@Injectable()
export class DeletionLink implements DeletionCatalog {
  private grants: BatchConsumer | undefined;

  constructor(
    private readonly nats: Nats,
    private readonly requests: Requests,
    private readonly config: MediaConfig,
  ) {}

  claim(removal: Removal): Promise<{ confirmed: boolean; reason: string }> {
    return this.requests.call(deleteClaim, { mediaId: this.config.mediaId, ...removal });
  }

  async report(removals: readonly Removal[]): Promise<readonly string[]> {
    const { mediaId } = this.config;
    const request = { mediaId, removals: [...removals] };
    return (await this.requests.call(deleteReport, request)).refused;
  }

  /** Hands all grants to `take`, some at a time; where it fails those come again. */
  listen(take: (granted: readonly Tombstone[]) => Promise<void>): void {
    const spec = mediaDeletes(subjectToken(this.config.mediaId));
    this.grants = new BatchConsumer(this.nats, {
      spec,
      batchMax: GRANTS_MAX,
      lingerMs: 0,
      own: true,
      handle: async (batch) => {
        await take(batch.flatMap(({ payload }) => tombstone.safeParse(payload).data ?? []));
      },
    });
    this.grants.start();
  }

  async hangUp(): Promise<void> {
    await this.grants?.stop();
  }
}
