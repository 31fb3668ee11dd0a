import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { cloudEvent } from '#contracts/event.js';
import { jobsCopies, jobsGrants, jobsImages } from '#contracts/streams.js';
import { BatchConsumer, type Delivery } from '#messaging/batch-consumer.js';
import { Nats } from '#messaging/connection.js';
import type { Startable } from '#service/lifecycle.js';
import { JobDriver } from './driving/job-driver.js';
import { OpenJobs } from './persistence/open-jobs.js';

/**
 * Hears that resources were granted, or an image or a copy is complete, and has the job look for itself: the
 * event is a hint, the answer of the broker or the catalog is what counts.
 */
@Injectable()
export class JobListener implements Startable {
  private readonly consumers: BatchConsumer[];

  constructor(
    nats: Nats,
    private readonly database: DataSource,
    private readonly driver: JobDriver,
  ) {
    const common = { batchMax: 64, lingerMs: 0 };
    this.consumers = [
      new BatchConsumer(nats, {
        spec: jobsGrants,
        ...common,
        handle: async (batch) => this.onGrants(batch),
      }),
      new BatchConsumer(nats, {
        spec: jobsImages,
        ...common,
        handle: (batch) => this.onImages(batch),
      }),
      new BatchConsumer(nats, {
        spec: jobsCopies,
        ...common,
        handle: (batch) => this.onImages(batch),
      }),
    ];
  }

  start(): void {
    for (const consumer of this.consumers) consumer.start();
  }

  async stop(): Promise<void> {
    for (const consumer of this.consumers) await consumer.stop();
  }

  private onGrants(batch: readonly Delivery[]): void {
    for (const subject of subjects(batch)) this.driver.drive(Number(subject));
  }

  private async onImages(batch: readonly Delivery[]): Promise<void> {
    const jobs = new OpenJobs(this.database.manager);
    for (const imageId of subjects(batch)) {
      for (const job of await jobs.byImage(imageId)) this.driver.drive(job);
    }
  }
}

function subjects(batch: readonly Delivery[]): string[] {
  return batch.flatMap(({ payload }) => {
    const event = cloudEvent.safeParse(payload);
    return event.success ? [event.data.subject] : [];
  });
}
