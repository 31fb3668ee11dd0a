import { Injectable, Logger } from '@nestjs/common';
import { cloudEvent } from '#contracts/event.js';
import { jobView } from '#contracts/job.js';
import { policyIncomplete, policyJobs, policyQueued } from '#contracts/streams.js';
import { BatchConsumer, type Delivery } from '#messaging/batch-consumer.js';
import { Nats } from '#messaging/connection.js';
import type { Startable } from '#service/lifecycle.js';
import { JobRecord } from './job-record.js';

/**
 * Hears of every job that is queued, incomplete or at its end, and remembers it where the job is a
 * policy's.
 */
@Injectable()
export class JobNews implements Startable {
  private readonly logger = new Logger('job news');
  private readonly consumers: readonly BatchConsumer[];

  constructor(
    nats: Nats,
    private readonly record: JobRecord,
  ) {
    this.consumers = [policyJobs, policyIncomplete, policyQueued].map(
      (spec) =>
        new BatchConsumer(nats, {
          spec,
          batchMax: 64,
          lingerMs: 0,
          handle: async (batch) => {
            for (const delivery of batch) await this.hear(delivery);
          },
        }),
    );
  }

  start(): void {
    for (const consumer of this.consumers) consumer.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.consumers.map((consumer) => consumer.stop()));
  }

  private async hear(delivery: Delivery): Promise<void> {
    const event = cloudEvent.safeParse(delivery.payload);
    const view = jobView.safeParse(event.data?.data);
    if (event.success && view.success) return this.record.heard(event.data.id, view.data);
    // It will not get better by being delivered again; the job is asked for when it stays silent.
    this.logger.warn(`what came on ${delivery.subject} tells of no job`);
  }
}
