import { Injectable } from '@nestjs/common';
import { catalogCopies, catalogPin, catalogUnpin, type CopyView } from '#contracts/catalog/copy.js';
import { leavingText } from '#contracts/catalog/leaving.js';
import { catalogChain, catalogImage, catalogSynthesisChain } from '#contracts/image.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { Requests } from '#messaging/requests.js';
import type { Answer } from '../domain/input.js';
import type { BackupJob, DuplicateJob, Job, RestoreJob, VerifyJob } from '../domain/job.js';

/** Of the others nothing is left that could be held. */
const READABLE: ReadonlySet<string> = new Set(['COMPLETE', 'DEGRADED', 'INCOMPLETE', 'IN_PROCESS']);

/** What a job reads: where it is, and that it stays until the job has ended. */
@Injectable()
export class JobSources {
  constructor(private readonly requests: Requests) {}

  /** @throws PermanentError for an image that is not there, or that no server holds. */
  async plan(job: Job): Promise<Answer | undefined> {
    switch (job.type) {
      case 'restore': {
        const { client, images, streams, missingStreams } = await this.requests.call(
          catalogChain,
          job.request.source,
        );
        const of = streams.flatMap((count, stream) => Array.from({ length: count }, () => stream));
        const chain = images.map((image, at) => ({ ...image, stream: of[at] ?? 0 }));
        return { type: 'planned', client, chain, missingStreams };
      }
      case 'duplicate':
        return this.locate(job, (copy) => copy.copy !== job.request.copy);
      case 'verify':
        return this.locate(job, ({ copy }) => (job.request.copy ?? copy) === copy);
      case 'backup':
        return this.planSynthesis(job);
      case 'parent':
        return undefined;
      default:
        return job satisfies never;
    }
  }

  async pin(job: RestoreJob | VerifyJob): Promise<Answer> {
    const imageIds =
      job.type === 'verify' ? [job.request.imageId] : job.chain.map(({ imageId }) => imageId);
    return { type: 'pinned', fragments: await this.hold(job, imageIds) };
  }

  /** Holds what a job reads; returns how many fragments that are. */
  async hold({ job }: Pick<Job, 'job'>, imageIds: string[]): Promise<number> {
    return (await this.requests.call(catalogPin, { job, imageIds })).fragments;
  }

  /** Fragments that the catalog has of what the job has written. */
  async committedOf(job: Job): Promise<number> {
    if (job.type === 'backup' && job.image) {
      const { imageId } = job.image;
      return (await this.requests.call(catalogImage, { imageId })).image.fragments;
    }
    if (job.type !== 'duplicate' || !job.copy) return 0;
    const { imageId, copy } = job.copy;
    const { copies } = await this.requests.call(catalogCopies, { imageId });
    return copies.find((one) => one.copy === copy)?.fragments ?? 0;
  }

  async unpin({ job }: Pick<Job, 'job'>, timeoutMs: number): Promise<void> {
    await this.requests.call(catalogUnpin, { job }, { timeoutMs });
  }

  private async planSynthesis({ job, request }: BackupJob): Promise<Answer> {
    const { client, policy, selections } = request;
    const { images: chain } = await this.requests.call(catalogSynthesisChain, {
      ...{ job, client, policy, selections },
    });
    return { type: 'planned', client, chain };
  }

  private async locate(
    job: DuplicateJob | VerifyJob,
    isWanted: (copy: CopyView) => boolean,
  ): Promise<Answer> {
    const { imageId } = job.request;
    const { image } = await this.requests.call(catalogImage, { imageId });
    if (job.type === 'duplicate' && job.request.copy === undefined && image.state !== 'COMPLETE') {
      throw new PermanentError(
        STATUS.outOfSequence,
        leavingText(image) ??
          `Image ${imageId} is not complete (${image.state}): only complete images can be duplicated.`,
      );
    }
    const { copies } = await this.requests.call(catalogCopies, { imageId });
    const wanted = copies.filter((copy) => READABLE.has(copy.state) && isWanted(copy));
    if (wanted.length === 0) {
      throw new PermanentError(
        STATUS.noImagesMatch,
        leavingText(image) ??
          `Image ${imageId} has no copy that could be read. See: holdfast images show ${imageId}`,
      );
    }
    const isWhole = image.state === 'COMPLETE' && job.type === 'duplicate';
    const sources = new Set([
      ...wanted.filter(({ state }) => state === 'COMPLETE').map(({ mediaId }) => mediaId),
      ...wanted.map(({ mediaId }) => mediaId),
      ...(isWhole ? await this.holders(imageId) : []),
    ]);
    return { type: 'located', sources: [...sources] };
  }

  /** A copy that was made in several attempts may lie on several servers. */
  private async holders(imageId: string): Promise<readonly string[]> {
    const { images } = await this.requests.call(catalogChain, { imageId, exact: true });
    return images.find((image) => image.imageId === imageId)?.media ?? [];
  }
}
