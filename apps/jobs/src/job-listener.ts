import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { allocationGranted, type Allocation } from '#contracts/broker.js';
import { cloudEvent, type CloudEvent } from '#contracts/event.js';
import { imageCompleted } from '#contracts/image.js';
import { jobsCopies, jobsGrants, jobsImages } from '#contracts/streams.js';
import { Clock } from '#kernel/clock.js';
import { NotFound } from '#kernel/errors.js';
import { BatchConsumer, type Delivery } from '#messaging/batch-consumer.js';
import { Nats } from '#messaging/connection.js';
import type { Startable } from '#service/lifecycle.js';
import type { Job } from './domain/job.js';
import { JobDriver } from './driving/job-driver.js';
import { JobChanges } from './job-changes.js';
import { OpenJobs } from './persistence/open-jobs.js';
import { JobRelease } from './steps/job-release.js';

/** A grant that runs out sooner than this is asked for once more: it may be gone already. */
const LEASE_LEFT_MS = 60_000;

/**
 * Hears that resources were granted, or an image or a copy is complete. What was granted the job takes from the
 * event; about an image it looks for itself: the event is a hint, the answer of the catalog is what counts.
 */
@Injectable()
export class JobListener implements Startable {
  private readonly consumers: BatchConsumer[];

  constructor(
    nats: Nats,
    private readonly database: DataSource,
    private readonly driver: JobDriver,
    private readonly changes: JobChanges,
    private readonly release: JobRelease,
    private readonly clock: Clock,
  ) {
    const common = { batchMax: 64, lingerMs: 0 };
    this.consumers = [
      new BatchConsumer(nats, {
        spec: jobsGrants,
        ...common,
        handle: (batch) => this.onGrants(batch),
      }),
      new BatchConsumer(nats, {
        spec: jobsImages,
        ...common,
        handle: async (batch) => this.onImages(batch),
      }),
      new BatchConsumer(nats, {
        spec: jobsCopies,
        ...common,
        handle: (batch) => this.onCopies(batch),
      }),
    ];
  }

  start(): void {
    for (const consumer of this.consumers) consumer.start();
  }

  async stop(): Promise<void> {
    for (const consumer of this.consumers) await consumer.stop();
  }

  private async onGrants(batch: readonly Delivery[]): Promise<void> {
    await Promise.all(
      events(batch).map(async ({ subject, data }) => {
        const granted = allocationGranted.schema.safeParse(data);
        const job = granted.success ? await this.take(granted.data) : undefined;
        this.driver.drive(job ?? Number(subject));
      }),
    );
  }

  /** A job that is unknown, or does not wait for it any more, has no use for it; one that is done gives it back. */
  private async take(allocation: Allocation): Promise<Job | undefined> {
    const { job, attempt, leaseUntil } = allocation;
    if (Date.parse(leaseUntil) - this.clock.now().getTime() < LEASE_LEFT_MS) return undefined;
    try {
      const saved = await this.changes.apply(job, { type: 'granted', attempt, allocation });
      if (saved.step === 'done') await this.release.giveBack({ job, attempt });
      return saved;
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }

  /** The job that has made it waits for it. */
  private onImages(batch: readonly Delivery[]): void {
    for (const { data } of events(batch)) {
      const image = imageCompleted.schema.safeParse(data);
      if (image.success && image.data.job > 0) this.driver.drive(image.data.job);
    }
  }

  private async onCopies(batch: readonly Delivery[]): Promise<void> {
    const jobs = new OpenJobs(this.database.manager);
    for (const { subject: imageId } of events(batch)) {
      for (const job of await jobs.byImage(imageId)) this.driver.drive(job);
    }
  }
}

function events(batch: readonly Delivery[]): CloudEvent[] {
  return batch.flatMap(({ payload }) => {
    const event = cloudEvent.safeParse(payload);
    return event.success ? [event.data] : [];
  });
}
