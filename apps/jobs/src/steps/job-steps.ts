import { Injectable, Logger } from '@nestjs/common';
import { brokerAllocate } from '#contracts/broker.js';
import { copyBegin, copyFinish } from '#contracts/catalog/copy.js';
import { imageBegin, imageFinish } from '#contracts/image.js';
import { mediaDrain } from '#contracts/media.js';
import { Clock } from '#kernel/clock.js';
import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { Requests } from '#messaging/requests.js';
import { JobsConfig } from '../config.js';
import type { Answer, Input } from '../domain/input.js';
import type { BackupJob, DuplicateJob, Job, Written } from '../domain/job.js';
import { awaited, voiceOf } from '../domain/participants.js';
import { resourceRequest } from '../domain/resource-request.js';
import { JobRelease } from './job-release.js';
import { JobSources } from './job-sources.js';

/** A media server takes some 3 s to bring in what it has sealed; its answer is not waited for much longer. */
const DRAIN_MS_MAX = 5_000;

/**
 * A job that has ended waits no longer for those who take back what it holds. They are asked again
 * behind its back.
 */
const RELEASING_MS_MAX = 4_000;

/** What a job asks of other services at its step. Every question may be asked again. */
@Injectable()
export class JobSteps {
  private readonly logger = new Logger('jobs');

  constructor(
    private readonly requests: Requests,
    private readonly sources: JobSources,
    private readonly release: JobRelease,
    private readonly clock: Clock,
    private readonly config: JobsConfig,
  ) {}

  /**
   * Asks, and returns the answer as the job's next input; `undefined` where the job only waits.
   * A refusal is an answer too. Throws `Unavailable` when nobody answered.
   */
  async perform(job: Job): Promise<Input | undefined> {
    const { attempt, step } = job;
    try {
      const answer = await this.ask(job);
      return answer && { ...answer, attempt };
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      const { status, message } = error;
      return { type: 'refused', attempt, step, status, message };
    }
  }

  /** Asks for what the job holds once more, which prolongs its lease. */
  async renew(job: Job): Promise<Input> {
    return { ...(await this.allocate(job)), attempt: job.attempt };
  }

  /** The broker grants anew what it has taken back already: to an attempt that is over, for nobody to give back. */
  giveBack(attempt: Pick<Job, 'job' | 'attempt'>): Promise<void> {
    return this.release.giveBack(attempt);
  }

  /** Whether half of the lease is over, however long that is. */
  leaseRunsOut({ step, allocation, leasedAt }: Job): boolean {
    if (step !== 'running' || !allocation) return false;
    const until = Date.parse(allocation.leaseUntil);
    const now = this.clock.now().getTime();
    return until - now <= now - (leasedAt?.getTime() ?? 0);
  }

  /** When a job that waits for a moment wants to be asked for again; `undefined` for others. */
  waitMs(job: Job): number | undefined {
    if (!job.retry) return job.pause && !job.pause.isLetGo ? 0 : undefined;
    if (!job.retry.isLetGo) return 0;
    const pauseMs = job.retry.drains > 0 ? this.config.drainPauseMs : 0;
    return Math.max(pauseMs, job.retry.at.getTime() - this.clock.now().getTime());
  }

  private async ask(job: Job): Promise<Answer | undefined> {
    switch (job.step) {
      case 'planning':
        return this.sources.plan(job);
      case 'allocating':
        return this.allocate(job);
      case 'beginning':
        return this.begin(job);
      case 'verifying':
        return this.finish(job);
      case 'retrying':
        return this.prepareRetry(job);
      case 'releasing':
        return this.end(job);
      case 'weighing':
        return this.weigh(job);
      case 'suspended':
      case 'incomplete':
        return job.pause?.isLetGo ? undefined : this.letGo(job);
      case 'running':
      case 'gathering':
      case 'done':
        return undefined;
      default:
        return job.step satisfies never;
    }
  }

  private async allocate(job: Job): Promise<Answer> {
    const answer = await this.requests.call(brokerAllocate, resourceRequest(job));
    return answer.state === 'granted'
      ? { type: 'granted', allocation: answer.allocation }
      : { type: 'must-wait', reason: answer.reason, wait: answer.wait };
  }

  private async begin(job: Job): Promise<Answer | undefined> {
    switch (job.type) {
      case 'backup':
        return this.beginImage(job);
      case 'duplicate':
        return this.beginCopy(job);
      case 'restore':
      case 'verify':
        return this.sources.pin(job);
      case 'parent':
        return undefined;
      default:
        return job satisfies never;
    }
  }

  private async beginImage(job: BackupJob): Promise<Answer> {
    const { request, allocation } = job;
    if (job.fresh) await this.release.abandonImage(job);
    const chain = job.chain.map(({ imageId }) => imageId);
    if (chain.length > 0) await this.sources.hold(job, chain);
    const image = await this.requests.call(imageBegin, {
      job: job.job,
      attempt: job.attempt,
      fresh: job.fresh,
      client: request.client,
      policy: request.policy,
      schedule: request.schedule,
      kind: request.kind,
      selections: request.selections,
      retention: request.retention,
      ...(chain.length > 0 ? { syntheticOf: chain.at(-1)! } : {}),
      ...(request.keyword ? { keyword: request.keyword } : {}),
      ...(job.run ? { group: job.run.parent, groupStreams: job.run.streams } : {}),
      // A request may name a group of units; the broker has chosen one.
      unit: allocation!.unit ?? request.storage,
      pool: allocation!.pool!,
      mediaId: allocation!.media[0]!.mediaId,
    });
    return { type: 'image-begun', image };
  }

  private async beginCopy(job: DuplicateJob): Promise<Answer> {
    const { request, allocation } = job;
    const copy = await this.requests.call(copyBegin, {
      job: job.job,
      attempt: job.attempt,
      imageId: request.imageId,
      ...(request.copy === undefined ? {} : { copy: request.copy }),
      unit: allocation!.unit!,
      pool: allocation!.pool!,
      mediaId: allocation!.media[0]!.mediaId,
    });
    return { type: 'copy-begun', copy };
  }

  private async finish(job: Job): Promise<Answer | undefined> {
    if (job.type === 'backup') return this.finishImage(job);
    if (job.type !== 'duplicate') return undefined;
    const { imageId, copy, copyAttempt } = job.copy!;
    const answer = await this.requests.call(copyFinish, { imageId, copy, copyAttempt });
    return { type: 'image-state', ...answer };
  }

  private async finishImage(job: BackupJob): Promise<Answer> {
    const media = job.results[voiceOf(awaited(job)[0]!)]!;
    const answer = await this.requests.call(imageFinish, {
      imageId: job.image!.imageId,
      copy: job.image!.copy,
      copyAttempt: job.image!.copyAttempt,
      kind: media.kind ?? job.image!.kind,
      fragments: media.fragments!,
      files: media.files ?? 0,
      bytes: media.bytes ?? 0,
    });
    return { type: 'image-state', ...answer };
  }

  /** First others may have the slot; then, when the time has come, what is sealed comes in. */
  private async prepareRetry(job: Job): Promise<Answer | undefined> {
    const { at, drain, isLetGo } = job.retry!;
    if (!isLetGo) return this.letGo(job);
    if (this.clock.now() < at) return undefined;
    return drain ? this.drain(job, drain) : { type: 'drained', open: 0 };
  }

  /** What is sealed comes in; then the catalog says whether there is something to resume. */
  private async weigh(job: Job): Promise<Answer> {
    const { drain, isLetGo } = job.retry!;
    if (!isLetGo) return this.letGo(job);
    if (drain) return this.drain(job, drain);
    return { type: 'weighed', committed: await this.sources.committedOf(job) };
  }

  private async letGo(job: Job): Promise<Answer> {
    await this.release.giveBack(job);
    return { type: 'let-go' };
  }

  private async drain(job: Job, { mediaId, imageId, copy }: Written): Promise<Answer> {
    try {
      const options = { instance: mediaId, timeoutMs: DRAIN_MS_MAX };
      const { open } = await this.requests.call(mediaDrain, { imageId, copy }, options);
      return { type: 'drained', open };
    } catch (error) {
      if (!(error instanceof PermanentError || error instanceof Unavailable)) throw error;
      this.logger.warn(`job ${job.job}: ${mediaId} cannot be drained: ${messageOf(error)}`);
      return { type: 'drained', open: null };
    }
  }

  private async end(job: Job): Promise<Answer> {
    const owed = await this.release.settle(job, this.release.debtsOf(job));
    const since = job.releasingSince?.getTime() ?? 0;
    if (owed.length > 0 && this.clock.now().getTime() - since < RELEASING_MS_MAX) {
      throw new Unavailable(`not given back yet: ${owed.join(', ')}`);
    }
    return { type: 'released', owed };
  }
}
