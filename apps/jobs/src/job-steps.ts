import { Injectable, Logger } from '@nestjs/common';
import { brokerAllocate, brokerRelease } from '#contracts/broker.js';
import { copyBegin, copyFinish } from '#contracts/catalog/copy.js';
import { imageAbandon, imageBegin, imageFinish } from '#contracts/image.js';
import { mediaDrain } from '#contracts/media.js';
import { Clock } from '#kernel/clock.js';
import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { Requests } from '#messaging/requests.js';
import { JobsConfig } from './config.js';
import type { Answer, Input } from './domain/input.js';
import type { BackupJob, DuplicateJob, Job } from './domain/job.js';
import { awaited, voiceOf } from './domain/participants.js';
import { resourceRequest } from './domain/resource-request.js';
import { JobSources } from './job-sources.js';

/** A media server takes some 3 s to bring in what it has sealed; its answer is not waited for much longer. */
const DRAIN_MS_MAX = 5_000;

/** A lease that has less than this left is prolonged. */
const RENEW_MS = 30 * 60_000;

/** What a job asks of other services at its step. Every question may be asked again. */
@Injectable()
export class JobSteps {
  private readonly logger = new Logger('jobs');

  constructor(
    private readonly requests: Requests,
    private readonly sources: JobSources,
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

  leaseRunsOut(job: Job): boolean {
    if (job.step !== 'running' || !job.allocation) return false;
    return Date.parse(job.allocation.leaseUntil) - this.clock.now().getTime() < RENEW_MS;
  }

  /** When a job that waits for a moment wants to be asked for again; `undefined` for others. */
  waitMs(job: Job): number | undefined {
    if (job.step !== 'retrying' || !job.retry) return undefined;
    if (job.allocation) return 0;
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
        return this.release(job);
      case 'running':
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
      : { type: 'must-wait', reason: answer.reason };
  }

  private begin(job: Job): Promise<Answer> {
    switch (job.type) {
      case 'backup':
        return this.beginImage(job);
      case 'duplicate':
        return this.beginCopy(job);
      case 'restore':
      case 'verify':
        return this.sources.pin(job);
      default:
        return job satisfies never;
    }
  }

  private async beginImage(job: BackupJob): Promise<Answer> {
    const { request, allocation } = job;
    if (job.fresh) await this.abandonImage(job);
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
      ...(request.keyword ? { keyword: request.keyword } : {}),
      unit: request.storage,
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
    if (job.allocation) {
      await this.giveBack(job);
      return { type: 'let-go' };
    }
    const { at, drain } = job.retry!;
    if (this.clock.now() < at) return undefined;
    if (!drain) return { type: 'drained', open: 0 };
    const { mediaId, imageId, copy } = drain;
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

  private async release(job: Job): Promise<Answer> {
    const failed = (job.outcome?.status ?? 0) > 1;
    if (job.type === 'backup' && failed) await this.abandonImage(job);
    if (job.type !== 'backup') await this.permitted(job, this.sources.unpin(job));
    await this.giveBack(job);
    return { type: 'released' };
  }

  private async abandonImage(job: BackupJob): Promise<void> {
    if (!job.image) return;
    const which = { imageId: job.image.imageId, job: job.job };
    await this.permitted(job, this.requests.call(imageAbandon, which));
  }

  private async giveBack({ job, attempt }: Job): Promise<void> {
    await this.permitted({ job }, this.requests.call(brokerRelease, { job, attempt }));
  }

  /** A job on its way out is not held up by who refuses; who is away is asked until it answers. */
  private async permitted({ job }: Pick<Job, 'job'>, request: Promise<unknown>): Promise<void> {
    try {
      await request;
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      this.logger.error(`job ${job}: ${error.message}`);
    }
  }
}
