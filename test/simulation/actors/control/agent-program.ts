import { jobsReport, type TaskResult } from '#contracts/job.js';
import { agentTasks } from '#contracts/streams.js';
import { agentTask, type AgentTask } from '#contracts/task.js';
import { backoffMs } from '#kernel/backoff.js';
import { PermanentError, type Unavailable } from '#kernel/errors.js';
import type { Life } from '../../kernel/host.js';
import type { Cluster } from '../cluster.js';
import { contentsOf, Link } from '../link.js';
import { dataPort, type DataCall } from '../media/data-call.js';
import { isOutage } from '../network.js';

const REPORT_MS = 8_000;
const FRAGMENT_MS_MAX = 6_000;
const FINISH_AGAIN_MS = 5_000;
const RETRY = { firstMs: 200, maxMs: 10_000, jitter: 0.5 };
const LAST_WORD_TRIES_MAX = 20;

type BackupTask = Extract<AgentTask, { type: 'backup' }>;

interface Running {
  readonly task: BackupTask;
  isOver: boolean;
}

/** One life of an agent: it sends an image's fragments to the media server, and reports. */
export class AgentProgram {
  private readonly link: Link;
  private readonly running: Running[] = [];

  constructor(
    private readonly life: Life,
    private readonly cluster: Cluster,
  ) {
    this.link = new Link(life, cluster);
    this.link.consume({
      spec: agentTasks(life.host.name),
      batchMax: 16,
      handle: async (batch) => {
        for (const task of contentsOf(batch, agentTask)) this.onTask(task);
      },
    });
  }

  private onTask(task: AgentTask): void {
    if (task.type === 'restore') return;
    const older = this.running.filter((each) => each.task.job === task.job);
    if (task.type === 'cancel') {
      for (const each of older) if (each.task.attempt <= task.attempt) each.isOver = true;
      return;
    }
    if (older.some((each) => each.task.attempt >= task.attempt)) return;
    const running = { task, isOver: false };
    this.running.push(running);
    this.life.spawn(`backup ${task.job}`, () => this.run(running));
  }

  private async run(running: Running): Promise<void> {
    this.signs(running);
    const result = await this.backUp(running);
    running.isOver = true;
    for (let tries = 1; tries <= LAST_WORD_TRIES_MAX; tries += 1) {
      if (await this.report(running.task, result)) return;
      await this.life.sleep(backoffMs(tries, RETRY, 0.5));
    }
  }

  private async backUp(running: Running): Promise<TaskResult> {
    const { task } = running;
    const { life } = this;
    const total = this.cluster.fragmentsOf(task.job);
    const media = dataPort(task.address.host);
    const call = (request: DataCall): Promise<unknown> => {
      if (running.isOver) throw new PermanentError(150, 'cancelled');
      return this.link.fetch(media, request);
    };
    const { token } = task;
    try {
      const { nextNumber } = (await call({ type: 'open', token })) as { nextNumber: number };
      for (let number = nextNumber; number <= total; number += 1) {
        await life.sleep(life.host.chance.between(0, FRAGMENT_MS_MAX));
        const text = `${task.imageId}, fragment ${number}, as attempt ${task.attempt} read it`;
        await call({ type: 'fragment', token, number, text, last: number === total });
      }
      while (
        !((await call({ type: 'finish', token, fragments: total })) as { done: boolean }).done
      ) {
        await life.sleep(FINISH_AGAIN_MS);
      }
      return { status: 0, message: '', files: total, bytes: total };
    } catch (error) {
      if (error instanceof PermanentError) return { status: error.status, message: error.message };
      if (isOutage(error)) return { status: 40, message: (error as Unavailable).message };
      throw error;
    }
  }

  private signs(running: Running): void {
    this.life.spawn('report', async () => {
      while (!running.isOver) {
        await this.report(running.task);
        await this.life.sleep(REPORT_MS);
      }
    });
  }

  /** True when the job manager has heard it, or does not want to. */
  private async report({ job, attempt }: BackupTask, result?: TaskResult): Promise<boolean> {
    const { name: instance } = this.life.host;
    try {
      const said = { job, attempt, from: 'agent' as const, instance, ...(result && { result }) };
      await this.link.request(jobsReport, said);
      return true;
    } catch (error) {
      if (error instanceof PermanentError) return true;
      if (!isOutage(error)) throw error;
      return false;
    }
  }
}
