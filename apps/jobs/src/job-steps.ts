import { Injectable } from '@nestjs/common';
import { brokerAllocate, brokerRelease } from '#contracts/broker.js';
import { catalogChain, imageAbandon, imageBegin, imageFinish } from '#contracts/image.js';
import { PermanentError } from '#kernel/errors.js';
import { Requests } from '#messaging/requests.js';
import type { Input } from './domain/decide.js';
import { clientOf, type BackupJob, type Job, type RestoreJob } from './domain/job.js';

/** What a job asks of other services at its step. Every question may be asked again. */
@Injectable()
export class JobSteps {
  constructor(private readonly requests: Requests) {}

  /**
   * Asks, and returns the answer as the job's next input; `undefined` where the job only waits.
   * A refusal is an answer too. Throws `Unavailable` when nobody answered.
   */
  async perform(job: Job): Promise<Input | undefined> {
    try {
      return await this.ask(job);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      if (job.step === 'releasing') return { type: 'released' };
      return { type: 'refused', status: error.status, message: error.message };
    }
  }

  /** Asks for what the job holds once more, which prolongs its lease. */
  renew(job: Job): Promise<Input> {
    return this.allocate(job);
  }

  private async ask(job: Job): Promise<Input | undefined> {
    switch (job.step) {
      case 'planning':
        return job.type === 'restore' ? this.plan(job) : undefined;
      case 'allocating':
        return this.allocate(job);
      case 'beginning':
        return job.type === 'backup' ? this.begin(job) : undefined;
      case 'verifying':
        return job.type === 'backup' ? this.finish(job) : undefined;
      case 'releasing':
        return this.release(job);
      case 'running':
      case 'done':
        return undefined;
      default:
        return job.step satisfies never;
    }
  }

  private async plan(job: RestoreJob): Promise<Input> {
    const { client, images } = await this.requests.call(catalogChain, job.request.source);
    return { type: 'planned', client, chain: images };
  }

  private async allocate(job: Job): Promise<Input> {
    const common = { job: job.job, attempt: job.attempt, client: clientOf(job) };
    const answer = await this.requests.call(
      brokerAllocate,
      job.type === 'backup'
        ? {
            purpose: 'write',
            ...common,
            unit: job.request.storage,
            priority: job.request.priority,
          }
        : {
            purpose: 'read',
            ...common,
            media: [...new Set(job.chain.flatMap((image) => image.media))],
          },
    );
    return answer.state === 'granted'
      ? { type: 'granted', allocation: answer.allocation }
      : { type: 'must-wait', reason: answer.reason };
  }

  private async begin(job: BackupJob): Promise<Input> {
    const { request, allocation } = job;
    const image = await this.requests.call(imageBegin, {
      job: job.job,
      client: request.client,
      policy: request.policy,
      schedule: request.schedule,
      kind: request.kind,
      selections: request.selections,
      retention: request.retention,
      unit: request.storage,
      pool: allocation!.pool!,
      mediaId: allocation!.media[0]!.mediaId,
    });
    return { type: 'image-begun', image };
  }

  private async finish(job: BackupJob): Promise<Input> {
    const media = job.results.media!;
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

  private async release(job: Job): Promise<Input> {
    if (job.type === 'backup' && job.image && (job.outcome?.status ?? 0) > 1) {
      await this.requests.call(imageAbandon, { imageId: job.image.imageId, job: job.job });
    }
    await this.requests.call(brokerRelease, { job: job.job, attempt: job.attempt });
    return { type: 'released' };
  }
}
