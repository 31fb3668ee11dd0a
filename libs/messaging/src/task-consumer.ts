import { Logger } from '@nestjs/common';
import type { z } from 'zod';
import type { ConsumerSpec } from '#contracts/streams.js';
import { BatchConsumer, type Delivery } from './batch-consumer.js';
import type { Nats } from './connection.js';

/** Takes a host's tasks, one after the other; a task that makes no sense is logged and let go. */
export class TaskConsumer<T extends z.ZodType> {
  private readonly logger = new Logger('tasks');
  private readonly consumer: BatchConsumer;

  constructor(
    nats: Nats,
    spec: ConsumerSpec,
    private readonly options: {
      readonly schema: T;
      /** Accepts a task and returns soon; what it starts goes on by itself. Idempotent. */
      readonly accept: (task: z.output<T>) => Promise<void> | void;
    },
  ) {
    this.consumer = new BatchConsumer(nats, {
      spec,
      batchMax: 16,
      lingerMs: 0,
      own: true,
      handle: (batch) => this.handle(batch),
    });
  }

  start(): void {
    this.consumer.start();
  }

  stop(): Promise<void> {
    return this.consumer.stop();
  }

  private async handle(batch: readonly Delivery[]): Promise<void> {
    for (const { payload, subject } of batch) {
      const task = this.options.schema.safeParse(payload);
      if (task.success) await this.options.accept(task.data);
      else this.logger.error(`not a task, let go (${subject}): ${task.error.message}`);
    }
  }
}
