import { Injectable } from '@nestjs/common';
import { catalogCommits } from '#contracts/streams.js';
import { BatchConsumer } from '#messaging/batch-consumer.js';
import { Nats } from '#messaging/connection.js';
import type { Startable } from '#service/lifecycle.js';
import { CommitBatches } from './commit-batches.js';
import { CatalogConfig } from './config.js';

/** Takes fragment commits from the broker. Several catalogs may share the work. */
@Injectable()
export class CommitConsumer implements Startable {
  private readonly consumer: BatchConsumer;

  constructor(nats: Nats, commits: CommitBatches, config: CatalogConfig) {
    this.consumer = new BatchConsumer(nats, {
      spec: catalogCommits,
      batchMax: config.batchMax,
      lingerMs: config.lingerMs,
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
