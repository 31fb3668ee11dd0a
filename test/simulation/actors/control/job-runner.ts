import { copyBegin, copyFinish, catalogUnpin } from '#contracts/catalog/copy.js';
import { imageBegin, imageFinish } from '#contracts/image.js';
import { jobsReport, type TaskResult } from '#contracts/job.js';
import { mediaDrain } from '#contracts/media.js';
import {
  agentTaskMessage,
  mediaTaskMessage,
  type AgentTask,
  type MediaTask,
  type WrittenCopy,
} from '#contracts/task.js';
import { PermanentError } from '#kernel/errors.js';
import type { Life } from '../../kernel/host.js';
import type { Transaction } from '../../parts/database.js';
import type { Cluster, PlannedJob } from '../cluster.js';
import { Link } from '../link.js';
import { isOutage } from '../network.js';
import { Relay } from '../relay.js';
import { JOB } from '../tables.js';

const SILENCE_MS_MAX = 90_000;
const LOOK_MS = 5_000;
const RETRY_MS_MAX = 20_000;
const AGAIN_MS = 5_000;

interface Attempt {
  readonly job: PlannedJob;
  readonly attempt: number;
  heardAt: number;
  readonly results: Map<string, TaskResult>;
}

/** One life of the job manager: each planned job in attempts, until it has succeeded. */
export class JobRunner {
  private readonly link: Link;
  private readonly attempts = new Map<number, Attempt>();

  constructor(
    private readonly life: Life,
    private readonly cluster: Cluster,
  ) {
    this.link = new Link(life, cluster);
    new Relay(life, this.link).start();
    this.link.serve(jobsReport, async ({ job, attempt, from, result }) => {
      const current = this.attempts.get(job);
      if (current?.attempt !== attempt) return { goOn: false };
      current.heardAt = this.life.world.now;
      if (result) current.results.set(from, result);
      return { goOn: true };
    });
    for (const job of cluster.jobs) life.spawn(`job ${job.job}`, () => this.run(job));
  }

  private async run(job: PlannedJob): Promise<void> {
    const { life } = this;
    await life.sleep(Math.max(0, job.beginsAt - life.world.now));
    for (;;) {
      try {
        if (await this.tryOnce(job)) return;
      } catch (error) {
        if (!isOutage(error) && !(error instanceof PermanentError)) throw error;
      }
      await life.sleep(life.host.chance.between(1_000, RETRY_MS_MAX));
    }
  }

  /** True when the job needs nothing more. */
  private async tryOnce(job: PlannedJob): Promise<boolean> {
    const attempt = await this.transaction('begins an attempt', async (db) => {
      const key = String(job.job);
      const row = await db.lock(JOB, key, 'update');
      if (row?.['isDone']) return undefined;
      const next = Number(row?.['attempt'] ?? 0) + 1;
      const changed = { job: job.job, attempt: next, isDone: false };
      if (!(await db.insert(JOB, key, changed))) await db.update(JOB, key, changed);
      return next;
    });
    if (attempt === undefined) return true;
    const mediaId = this.life.host.chance.pick(this.cluster.serversOf(job.pool));
    const current: Attempt = {
      ...{ job, attempt, heardAt: this.life.world.now, results: new Map() },
    };
    this.attempts.set(job.job, current);
    const { copy, fragments } = await this.begin(job, attempt, mediaId);
    const isDone = await this.outcome(current);
    this.attempts.delete(job.job);
    if (!isDone) {
      await this.link.request(mediaDrain, { imageId: copy.imageId, copy: copy.copy }, mediaId);
      return false;
    }
    await this.verify(job, copy, fragments);
    await this.transaction('ends a job', async (db) => {
      await db.update(JOB, String(job.job), { job: job.job, attempt, isDone: true });
    });
    return true;
  }

  private async begin(
    job: PlannedJob,
    attempt: number,
    mediaId: string,
  ): Promise<{ copy: WrittenCopy; fragments: number }> {
    const of = { job: job.job, attempt, mediaId, pool: job.pool, unit: 'u1' };
    if (job.type === 'duplicate') {
      const begun = await this.link.request(copyBegin, { ...of, imageId: job.imageId });
      const task: MediaTask = {
        type: 'duplicate',
        ...{ job: job.job, attempt, pool: job.pool, image: begun, sources: [] },
      };
      await this.send(mediaId, task);
      return { copy: begun, fragments: begun.fragments };
    }
    const begun = await this.link.request(imageBegin, {
      ...{ ...of, client: 'c1', policy: 'p1', schedule: 'user', kind: 'full' },
      ...{ selections: ['/'], retention: '14d' },
    });
    const { imageId, copy, copyAttempt, kind, backupTime, details } = begun;
    const image = {
      imageId,
      copy,
      copyAttempt,
      client: 'c1',
      policy: 'p1',
      kind,
      backupTime,
      details,
    };
    const { nextNumber, archiveOffset } = begun;
    const token = `token of job ${job.job}, attempt ${attempt}`;
    const resume = { nextNumber, archiveOffset };
    const common = { job: job.job, attempt, token };
    const write: MediaTask = {
      type: 'write',
      ...{ ...common, pool: job.pool, fragmentBytesMax: 1_000, image, resume },
    };
    const backup: AgentTask = {
      type: 'backup',
      ...{ ...common, address: { host: mediaId, port: 1 }, imageId, kind, resume },
      ...{ baseImageId: null, keepListings: [], policy: 'p1', selections: ['/'], excludes: [] },
      ...{ crossMountPoints: false, compressionLevel: 1 },
    };
    await this.send(mediaId, write, backup);
    return { copy: image, fragments: this.cluster.fragmentsOf(job.job) };
  }

  private send(mediaId: string, task: MediaTask, forAgent?: AgentTask): Promise<void> {
    return this.link.transaction(async (unit) => {
      unit.send(mediaTaskMessage, [mediaId, String(task.job)], task);
      if (forAgent) unit.send(agentTaskMessage, ['c1', String(task.job)], forAgent);
    });
  }

  private async outcome(current: Attempt): Promise<boolean> {
    const wanted = current.job.type === 'backup' ? ['media', 'agent'] : ['media'];
    for (;;) {
      const results = wanted.map((from) => current.results.get(from));
      if (results.some((result) => result && result.status > 0)) return false;
      if (results.every((result) => result?.status === 0)) return true;
      if (this.life.world.now - current.heardAt > SILENCE_MS_MAX) return false;
      await this.life.sleep(LOOK_MS);
    }
  }

  private async verify(job: PlannedJob, copy: WrittenCopy, fragments: number): Promise<void> {
    const of = { imageId: copy.imageId, copy: copy.copy, copyAttempt: copy.copyAttempt };
    for (;;) {
      const { complete } =
        job.type === 'duplicate'
          ? await this.link.request(copyFinish, of)
          : await this.link.request(imageFinish, {
              ...{ ...of, kind: 'full', fragments, files: fragments, bytes: fragments },
            });
      if (complete) break;
      await this.life.sleep(AGAIN_MS);
    }
    if (job.type === 'duplicate') await this.link.request(catalogUnpin, { job: job.job });
  }

  private transaction<T>(what: string, statements: (db: Transaction) => Promise<T>): Promise<T> {
    return this.link.transaction((unit) => unit.run(what, statements));
  }
}
