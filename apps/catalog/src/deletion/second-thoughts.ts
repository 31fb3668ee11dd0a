import { Injectable } from '@nestjs/common';
import type { imageHold, imageUndelete } from '#contracts/catalog/expiry.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { Clock } from '#kernel/clock.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { unknownImage } from '../domain/chains/chain.js';
import { decideDeletion } from '../domain/deletion.js';
import { expiryOf, isOver } from '../domain/retention.js';
import { Deletables, type DeletionChange } from '../persistence/deletion/deletables.js';
import { ImageHoldRow } from '../persistence/deletion/deletion.entity.js';
import { ImageFactsReader } from '../persistence/deletion/image-facts.js';
import { Images } from '../persistence/images.js';

/** Keeps what was to go, or might go: undelete and hold. */
@Injectable()
export class SecondThoughts {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly clock: Clock,
  ) {}

  /**
   * Takes back what is marked. An image whose time was over is kept for its retention once more, from
   * now on: else it would be marked again at once.
   * @throws PermanentError 227 where nothing of it is marked (any more), or it builds on what is gone.
   */
  undelete(request: RequestOf<typeof imageUndelete>): Promise<ResponseOf<typeof imageUndelete>> {
    const { imageId, copy } = request;
    return this.unitOfWork.run(async ({ db }) => {
      const images = new Images(db);
      // With what it builds on: none of that is granted meanwhile.
      const image = await images.lockLine(imageId);
      if (!image) throw unknownImage(imageId);
      const now = this.clock.now();
      const deletables = new Deletables(db);
      const changes = (await deletables.lock(imageId))
        .filter((each) => (copy === undefined || each.copy === copy) && !each.isGivenUp)
        .flatMap((fragment): DeletionChange[] => {
          const { fragment: to } = decideDeletion(fragment, { type: 'undelete' }, now.getTime());
          const reason = to?.state === 'DAMAGED' ? fragment.stateReason : '';
          return to ? [{ fragmentId: fragment.fragmentId, to, reason }] : [];
        });
      if (changes.length === 0) throw nothingMarked(imageId, copy);
      const gone = await new ImageFactsReader(db).goneBases(imageId);
      if (gone.length > 0) throw basesGone(imageId, gone);
      await deletables.save(changes, now);
      const isPast = isOver(image.expiresAt, now);
      const expiresAt = isPast
        ? expiryOf(Math.floor(now.getTime() / 1_000), image.retention)
        : image.expiresAt;
      if (isPast) await images.save(imageId, { expiresAt });
      return { fragments: changes.length, expiresAt: expiresAt?.toISOString() ?? null };
    });
  }

  /** Puts a hold on an image, or lifts it; either may be asked again. */
  hold(request: RequestOf<typeof imageHold>): Promise<ResponseOf<typeof imageHold>> {
    const { imageId, hold, reason, release } = request;
    return this.unitOfWork.run(async ({ db }) => {
      // An expiration that runs now comes first, and the hold then keeps what it can from its grant.
      if (!(await new Images(db).lock(imageId))) throw unknownImage(imageId);
      if (release) await db.delete(ImageHoldRow, { imageId, hold });
      else await db.upsert(ImageHoldRow, { imageId, hold, reason }, ['imageId', 'hold']);
      return { holds: await new ImageFactsReader(db).holds(imageId) };
    });
  }
}

function nothingMarked(imageId: string, copy: number | undefined): PermanentError {
  const what = copy === undefined ? imageId : `copy ${copy} of ${imageId}`;
  return new PermanentError(
    STATUS.notFound,
    `Nothing of ${what} is marked for deletion; what was granted cannot be taken back.`,
  );
}

function basesGone(imageId: string, gone: readonly string[]): PermanentError {
  const what = gone.length === 1 ? `${gone[0]!}, which is` : `${gone.join(', ')}, which are`;
  return new PermanentError(
    STATUS.notFound,
    `Image ${imageId} cannot be taken back: it builds on ${what} being deleted or deleted already.`,
  );
}
