import { Injectable, Logger } from '@nestjs/common';
import { cloudEvent } from '#contracts/event.js';
import { jobDone } from '#contracts/job.js';
import { policyJobs } from '#contracts/streams.js';
import { BatchConsumer, type Delivery } from '#messaging/batch-consumer.js';
import { Nats } from '#messaging/connection.js';
import type { Startable } from '#service/lifecycle.js';
import { JobRecord } from './job-record.js';

/** Hears of the end of every job, and remembers it where a policy asked for the job. */
@Injectable()
export class JobEndings implements Startable {
  private readonly logger = new Logger('job endings');
  private readonly consumer: BatchConsumer;

  constructor(
    nats: Nats,
    private readonly record: JobRecord,
  ) {
    this.consumer = new BatchConsumer(nats, {
      spec: policyJobs,
      batchMax: 64,
      lingerMs: 0,
      handle: async (batch) => {
        for (const delivery of batch) await this.hear(delivery);
      },
    });
  }

  start(): void {
    this.consumer.start();
  }

  stop(): Promise<void> {
    return this.consumer.stop();
  }

  private async hear(delivery: Delivery): Promise<void> {
    const event = cloudEvent.safeParse(delivery.payload);
    const view = jobDone.schema.safeParse(event.data?.data);
    if (event.success && view.success) return this.record.heardEnd(event.data.id, view.data);
    // It will not get better by being delivered again; the job is asked for when it stays silent.
    this.logger.warn(`what came on ${delivery.subject} is not the end of a job`);
  }
}
