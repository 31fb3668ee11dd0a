import { Injectable, Logger } from '@nestjs/common';
import { subjectToken } from '#contracts/contract.js';
import { mediaTasks } from '#contracts/streams.js';
import { mediaTask, type MediaTask } from '#contracts/task.js';
import { sleep } from '#kernel/backoff.js';
import { LongTasks } from '#kernel/c-library/long-tasks.js';
import { Nats } from '#messaging/connection.js';
import { TaskConsumer } from '#messaging/task-consumer.js';
import type { Startable } from '#service/lifecycle.js';
import { MediaConfig } from '../config.js';
import { CopyTasks } from './copy-tasks.js';
import { ReadTasks } from './read-tasks.js';
import type { CopyName, RunningTask } from './running-task.js';
import { WriteTasks } from './write-tasks.js';

/** Takes this media server's tasks and starts each once, whatever is delivered twice. */
@Injectable()
export class MediaTasks implements Startable {
  private readonly logger = new Logger('tasks');
  private readonly consumer: TaskConsumer<typeof mediaTask>;
  private readonly running = new Map<string, RunningTask>();
  private readonly tasks = new LongTasks();

  constructor(
    nats: Nats,
    config: MediaConfig,
    private readonly writes: WriteTasks,
    private readonly reads: ReadTasks,
    private readonly copies: CopyTasks,
  ) {
    this.consumer = new TaskConsumer(nats, mediaTasks(subjectToken(config.mediaId)), {
      schema: mediaTask,
      accept: (task) => this.accept(task),
    });
  }

  start(): void {
    this.consumer.start();
  }

  async stop(): Promise<void> {
    await this.consumer.stop();
    for (const task of this.running.values()) task.cancel();
    await Promise.all([...this.running.values()].map(({ end }) => end));
  }

  /** Ends what writes a copy. Resolves with how much of that goes on after `patienceMs`. */
  async stopWriters(of: CopyName, patienceMs: number): Promise<number> {
    const writers = [...this.running.values()].filter(
      ({ writes }) => writes?.imageId === of.imageId && writes.copy === of.copy,
    );
    let left = writers.length;
    const ended = writers.map(async (task) => {
      task.cancel();
      await task.end.catch(() => undefined);
      left -= 1;
    });
    const enough = new AbortController();
    await Promise.race([Promise.all(ended), sleep(patienceMs, enough.signal)]);
    enough.abort();
    return left;
  }

  private begin(task: Exclude<MediaTask, { type: 'cancel' }>): RunningTask {
    switch (task.type) {
      case 'write':
        return this.writes.begin(task);
      case 'read':
        return this.reads.begin(task);
      case 'duplicate':
        return this.copies.duplicate(task);
      case 'synthesize':
        return this.copies.synthesize(task);
      case 'verify':
        return this.copies.verify(task);
      default:
        return task satisfies never;
    }
  }

  private accept(task: MediaTask): void {
    const key = `${task.job}:${task.attempt}`;
    if (task.type === 'cancel') {
      this.running.get(key)?.cancel();
      return;
    }
    if (this.running.has(key)) return;
    const started = this.begin(task);
    const end = this.tasks.begin();
    this.running.set(key, started);
    void started.end
      .catch((error: unknown) => this.logger.error(error))
      .finally(() => {
        this.running.delete(key);
        end();
      });
  }
}
