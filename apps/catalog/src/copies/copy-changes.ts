import { Injectable } from '@nestjs/common';
import type { copyBegin, copyFinish } from '#contracts/catalog/copy.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { assert } from '#kernel/assert.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { countCopies } from '../completion.js';
import { unknownImage } from '../domain/chains/chain.js';
import { chooseCopy } from '../domain/copy-choice.js';
import { waitsForCopy } from '../domain/image-state.js';
import { CatalogEpoch } from '../persistence/catalog-epoch.js';
import { Copies, type CopyFound } from '../persistence/copies/copies.js';
import { FragmentSources } from '../persistence/copies/fragment-sources.js';
import { Pins } from '../persistence/copies/pins.js';
import { ImageViews } from '../persistence/image-views.js';
import { detailsOf, type ImageRow } from '../persistence/entities/image.entity.js';
import { Images } from '../persistence/images.js';

type BeginRequest = RequestOf<typeof copyBegin>;

/** Begins and finishes further copies. Each may be asked again: the answer stays the same. */
@Injectable()
export class CopyChanges {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly epoch: CatalogEpoch,
  ) {}

  /**
   * Grants a copy to an attempt of a job, and pins what it lacks in the other copies. The first run of
   * a duplication, its resumption and a repair are the same thing.
   */
  async begin(request: BeginRequest): Promise<ResponseOf<typeof copyBegin>> {
    const { imageId, job } = request;
    await this.epoch.get();
    return this.unitOfWork.run(async ({ db }) => {
      const image = await new Images(db).lock(imageId);
      const view = await new ImageViews(db).one(imageId);
      if (!image || !view) throw unknownImage(imageId);
      const copies = new Copies(db);
      const known = await copies.of(imageId);
      const copy = chooseCopy(view, known, request);
      const copyAttempt = await grant(
        copies,
        known.find((each) => each.copy === copy),
        { ...request, copy },
      );
      await new Pins(db).pinMissing(job, imageId, copy);
      const { missing, media } = await new FragmentSources(db).missing(imageId, copy);
      if (missing > 0 && media.length === 0) throw noSource(imageId, copy);
      return {
        ...{ imageId, copy, copyAttempt, missing, sources: media },
        ...describe(image),
      };
    });
  }

  /** Counts what of the copy is committed. */
  finish(request: RequestOf<typeof copyFinish>): Promise<ResponseOf<typeof copyFinish>> {
    const { imageId, copy, copyAttempt } = request;
    return this.unitOfWork.run(async (unit) => {
      const images = new Images(unit.db);
      if (!(await images.lock(imageId))) throw unknownImage(imageId);
      const found = (await countCopies(unit, imageId)).find((each) => each.copy === copy);
      if (found?.attempt !== copyAttempt) {
        throw outOfSequence(`Attempt ${copyAttempt} at copy ${copy} of ${imageId} is over.`);
      }
      const complete = found.state === 'COMPLETE';
      const firstMissing = complete ? null : await images.firstMissing(imageId, copy);
      return { complete, waitsFor: complete ? '' : waitsForCopy(found, firstMissing) };
    });
  }
}

/** The fence of the attempt: a new one, unless it has it already. */
async function grant(
  copies: Copies,
  known: CopyFound | undefined,
  request: BeginRequest & { readonly copy: number },
): Promise<number> {
  const { imageId, copy, job, attempt: jobAttempt, unit, pool, mediaId } = request;
  const writer = { job, jobAttempt, unit, pool, mediaId };
  if (!known || known.state === 'DELETED') {
    return copies.make(imageId, copy, writer);
  }
  const isOwn = known.job === job;
  if (isOwn && known.jobAttempt === jobAttempt) return known.attempt;
  if (isOwn && jobAttempt < known.jobAttempt) {
    throw outOfSequence(`Attempt ${jobAttempt} of job ${job} is over.`);
  }
  const fence = await copies.grant(imageId, copy, writer);
  // Nothing is written to a whole copy, so it does not become complete once more.
  if (known.state === 'COMPLETE' && known.completedAttempt === known.attempt) {
    await copies.markCompleted(imageId, copy);
  }
  return fence;
}

function describe(image: ImageRow) {
  const { client, policy, kind, backupTime, fragmentsExpected } = image;
  assert(fragmentsExpected !== null, 'a copy of an image that was never finished');
  return {
    ...{ client, policy, kind, backupTime },
    details: detailsOf(image),
    fragments: fragmentsExpected,
  };
}

function noSource(imageId: string, copy: number): PermanentError {
  return new PermanentError(
    STATUS.noFragments,
    `No other copy of ${imageId} has what copy ${copy} lacks.`,
  );
}

function outOfSequence(message: string): PermanentError {
  return new PermanentError(STATUS.outOfSequence, message);
}
