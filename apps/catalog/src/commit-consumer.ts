import { Injectable } from '@nestjs/common';
import { catalogCommits } from '#contracts/streams.js';
import { BatchConsumer } from '#messaging/batch-consumer.js';
import { Nats } from '#messaging/connection.js';
import type { Startable } from '#service/lifecycle.js';
import { CommitBatches } from './commit-batches.js';
import { CatalogConfig } from './config.js';

/** A message brings one commit or a bundle of up to 64 KiB. */
const MESSAGES_MAX = 128;

/** Takes fragment commits from the broker. Several catalogs may share the work. */
@Injectable()
export class CommitConsumer implements Startable {
  private readonly consumer: BatchConsumer;

  constructor(nats: Nats, commits: CommitBatches, config: CatalogConfig) {
    this.consumer = new BatchConsumer(nats, {
      spec: catalogCommits,
      batchMax: MESSAGES_MAX,
      lingerMs: config.lingerMs,
      // One is made ready or answered while the database is at work on the other.
      atOnce: 2,
      handle: (batch) => commits.handle(batch),
    });
  }

  start(): void {
    this.consumer.start();
  }

  stop(): Promise<void> {
    return this.consumer.stop();
  }
}
