import { Injectable, Logger } from '@nestjs/common';
import { subjectToken } from '#contracts/contract.js';
import { agentTasks } from '#contracts/streams.js';
import { agentTask, type AgentTask } from '#contracts/task.js';
import { Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { Nats } from '#messaging/connection.js';
import { TaskConsumer } from '#messaging/task-consumer.js';
import type { Startable } from '#service/lifecycle.js';
import { AgentConfig } from './config.js';
import { TaskRunner } from './task-runner.js';

/** Tasks that an agent has at once, at work or waiting for their turn: more than any limit of a client lets begin. */
const TASKS_TAKEN_MAX = 1_024;

interface Running {
  readonly task: Exclude<AgentTask, { type: 'cancel' }>;
  readonly abort: AbortController;
  readonly end: Promise<void>;
}

/** Takes the agent's tasks and starts each once, whatever is delivered twice. */
@Injectable()
export class TaskListener implements Startable {
  private readonly logger = new Logger('tasks');
  private readonly consumer: TaskConsumer<typeof agentTask>;
  private readonly running = new Map<string, Running>();

  constructor(
    nats: Nats,
    config: AgentConfig,
    private readonly runner: TaskRunner,
  ) {
    this.consumer = new TaskConsumer(nats, agentTasks(subjectToken(config.client)), {
      schema: agentTask,
      accept: (task) => this.accept(task),
    });
  }

  start(): void {
    this.consumer.start();
  }

  async stop(): Promise<void> {
    await this.consumer.stop();
    const reason = new Unavailable('The agent was stopped.', STATUS.clientAborted);
    for (const { abort } of this.running.values()) abort.abort(reason);
    await Promise.all([...this.running.values()].map(({ end }) => end));
  }

  private accept(task: AgentTask): void {
    const key = `${task.job}:${task.attempt}`;
    const known = this.running.get(key);
    if (task.type === 'cancel') {
      known?.abort.abort();
      return;
    }
    if (known) return;
    if (this.running.size >= TASKS_TAKEN_MAX) {
      throw new Error(`${TASKS_TAKEN_MAX} tasks are here already; this one comes again later`);
    }
    this.endEarlierAttempts(task);
    const abort = new AbortController();
    const end = this.runner
      .run(task, abort)
      .catch((error: unknown) => this.logger.error(error))
      .finally(() => this.running.delete(key));
    this.running.set(key, { task, abort, end });
  }

  /** The job manager has given them up, whether its word has come or not. */
  private endEarlierAttempts({ job, attempt }: AgentTask): void {
    for (const { task, abort } of this.running.values()) {
      if (task.job === job && task.attempt < attempt) abort.abort();
    }
  }
}
