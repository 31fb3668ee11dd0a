import { brokerAllocate, brokerRelease } from '#contracts/broker.js';
import { catalogCopies, catalogUnpin, copyBegin, copyFinish } from '#contracts/catalog/copy.js';
import {
  catalogChain,
  catalogImage,
  imageAbandon,
  imageBegin,
  imageFinish,
} from '#contracts/image.js';
import { mediaDrain } from '#contracts/media.js';
import { PermanentError } from '#kernel/errors.js';
import type { Answer, Input } from '../../../../apps/jobs/src/domain/input.js';
import type {
  BackupJob,
  DuplicateJob,
  Job,
  Written,
} from '../../../../apps/jobs/src/domain/job.js';
import { awaited, voiceOf } from '../../../../apps/jobs/src/domain/participants.js';
import { resourceRequest } from '../../../../apps/jobs/src/domain/resource-request.js';
import type { Life } from '../../kernel/host.js';
import type { Link } from '../link.js';
import { isOutage } from '../network.js';

const DRAIN_PAUSE_MS = 2_000;
const READABLE: ReadonlySet<string> = new Set(['COMPLETE', 'DEGRADED', 'INCOMPLETE', 'IN_PROCESS']);

/** What a job asks of other services at its step, as `JobSteps` and `JobSources` do. */
export class JobQuestions {
  constructor(
    private readonly life: Life,
    private readonly link: Link,
  ) {}

  /** The answer, or the refusal, as the job's next input; undefined where it only waits. */
  async ask(job: Job): Promise<Input | undefined> {
    const { attempt, step } = job;
    try {
      const answer = await this.answer(job);
      return answer && { ...answer, attempt };
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      const { status, message } = error;
      return { type: 'refused', attempt, step, status, message };
    }
  }

  /** When a job that waits for a moment wants to be asked again. */
  waitMs(job: Job): number | undefined {
    if (!job.retry) return undefined;
    const pauseMs = job.retry.drains > 0 ? DRAIN_PAUSE_MS : 0;
    return Math.max(pauseMs, job.retry.at.getTime() - this.life.world.now);
  }

  private async answer(job: Job): Promise<Answer | undefined> {
    switch (job.step) {
      case 'planning':
        return job.type === 'duplicate' ? this.locate(job) : undefined;
      case 'allocating': {
        const answer = await this.link.request(brokerAllocate, resourceRequest(job));
        return answer.state === 'granted'
          ? { type: 'granted', allocation: answer.allocation }
          : { type: 'must-wait', reason: answer.reason };
      }
      case 'beginning':
        return job.type === 'backup' ? this.beginImage(job) : this.beginCopy(job as DuplicateJob);
      case 'verifying':
        return job.type === 'backup' ? this.finishImage(job) : this.finishCopy(job as DuplicateJob);
      case 'retrying':
        return this.prepareRetry(job);
      case 'releasing':
        return this.release(job);
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

  private async locate(job: DuplicateJob): Promise<Answer> {
    const { imageId } = job.request;
    const { image } = await this.link.request(catalogImage, { imageId });
    if (image.state !== 'COMPLETE') throw new PermanentError(229, 'the image is not complete');
    const { copies } = await this.link.request(catalogCopies, { imageId });
    const wanted = copies.filter(({ state }) => READABLE.has(state));
    if (wanted.length === 0) throw new PermanentError(190, 'no copy could be read');
    const { images } = await this.link.request(catalogChain, { imageId, exact: true });
    const held = wanted.map(({ mediaId }) => mediaId);
    return { type: 'located', sources: [...new Set([...held, ...(images[0]?.media ?? [])])] };
  }

  private async beginImage(job: BackupJob): Promise<Answer> {
    const { job: number, attempt, fresh, request, allocation } = job;
    if (fresh) await this.abandon(job);
    const { client, policy, schedule, kind, selections, retention, storage: unit } = request;
    const image = await this.link.request(imageBegin, {
      ...{ job: number, attempt, fresh, client, policy, schedule, kind, selections, retention },
      ...{ unit, pool: allocation!.pool!, mediaId: allocation!.media[0]!.mediaId },
    });
    return { type: 'image-begun', image };
  }

  private async beginCopy(job: DuplicateJob): Promise<Answer> {
    const { allocation, request, attempt } = job;
    const copy = await this.link.request(copyBegin, {
      ...{ job: job.job, attempt, imageId: request.imageId, unit: allocation!.unit! },
      ...{ pool: allocation!.pool!, mediaId: allocation!.media[0]!.mediaId },
    });
    return { type: 'copy-begun', copy };
  }

  private async finishImage(job: BackupJob): Promise<Answer> {
    const { fragments, kind, files, bytes } = job.results[voiceOf(awaited(job)[0]!)]!;
    const { imageId, copy, copyAttempt } = job.image!;
    const answer = await this.link.request(imageFinish, {
      ...{ imageId, copy, copyAttempt, kind: kind ?? job.image!.kind, fragments: fragments! },
      ...{ files: files ?? 0, bytes: bytes ?? 0 },
    });
    return { type: 'image-state', ...answer };
  }

  private async finishCopy(job: DuplicateJob): Promise<Answer> {
    const { imageId, copy, copyAttempt } = job.copy!;
    const answer = await this.link.request(copyFinish, { imageId, copy, copyAttempt });
    return { type: 'image-state', ...answer };
  }

  private async prepareRetry(job: Job): Promise<Answer | undefined> {
    const { at, drain, isLetGo } = job.retry!;
    if (!isLetGo) return this.letGo(job);
    if (this.life.world.now < at.getTime()) return undefined;
    return drain ? this.drain(drain) : { type: 'drained', open: 0 };
  }

  private async weigh(job: Job): Promise<Answer> {
    const { drain, isLetGo } = job.retry!;
    if (!isLetGo) return this.letGo(job);
    return drain ? this.drain(drain) : { type: 'weighed', committed: await this.committed(job) };
  }

  private async committed(job: Job): Promise<number> {
    if (job.type === 'backup') {
      const { image } = await this.link.request(catalogImage, { imageId: job.image!.imageId });
      return image.fragments;
    }
    const { imageId, copy } = (job as DuplicateJob).copy!;
    const { copies } = await this.link.request(catalogCopies, { imageId });
    return copies.find((one) => one.copy === copy)?.fragments ?? 0;
  }

  private async letGo(job: Job): Promise<Answer> {
    await this.giveBack(job);
    return { type: 'let-go' };
  }

  private async drain({ mediaId, imageId, copy }: Written): Promise<Answer> {
    try {
      const { open } = await this.link.request(mediaDrain, { imageId, copy }, mediaId);
      return { type: 'drained', open };
    } catch (error) {
      if (!isOutage(error) && !(error instanceof PermanentError)) throw error;
      return { type: 'drained', open: null };
    }
  }

  private async release(job: Job): Promise<Answer> {
    if (job.type === 'backup' && (job.outcome?.status ?? 0) > 1) await this.abandon(job);
    if (job.type !== 'backup')
      await this.permitted(this.link.request(catalogUnpin, { job: job.job }));
    await this.giveBack(job);
    return { type: 'released' };
  }

  private async abandon(job: BackupJob): Promise<void> {
    if (!job.image) return;
    const which = { imageId: job.image.imageId, job: job.job };
    await this.permitted(this.link.request(imageAbandon, which));
  }

  private async giveBack({ job, attempt }: Job): Promise<void> {
    await this.permitted(this.link.request(brokerRelease, { job, attempt }));
  }

  private async permitted(request: Promise<unknown>): Promise<void> {
    try {
      await request;
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
    }
  }
}
