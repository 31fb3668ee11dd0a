import { Injectable, Logger } from '@nestjs/common';
import { fragmentDamaged } from '#contracts/fragment.js';
import type { FragmentState } from '#contracts/image.js';
import type { BytesState } from '#contracts/media.js';
import { Clock } from '#kernel/clock.js';
import { NotFound } from '#kernel/errors.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { decideDamage } from '../domain/damage.js';
import { Copies } from '../persistence/copies/copies.js';
import { Deletables } from '../persistence/deletion/deletables.js';
import { Images } from '../persistence/images.js';

/** What a fragment's own media server says of its bytes. */
export interface Finding {
  readonly bytes: BytesState;
  readonly reason: string;
}

/** Marks fragments as damaged, and as good again. */
@Injectable()
export class Damage {
  private readonly logger = new Logger('damage');

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly clock: Clock,
  ) {}

  /** Takes a finding of the fragment's own media server; returns the state that the fragment has now. */
  found(fragmentId: string, finding: Finding): Promise<FragmentState> {
    return this.unitOfWork.run(async (unit) => {
      const deletables = new Deletables(unit.db);
      const known = await deletables.find(fragmentId);
      if (!known) throw new NotFound('fragment', fragmentId);
      const { imageId, copy, number, mediaId } = known;
      await new Images(unit.db).lock(imageId);
      // Nothing is committed under its number meanwhile.
      await new Copies(unit.db).lock(imageId);
      const [fragment] = await deletables.lockThese([fragmentId]);
      const isReplaced = await deletables.isReplaced(fragment!);
      const to = decideDamage({ ...fragment!, isReplaced }, finding.bytes);
      if (!to) return fragment!.state;
      const reason = to.state === 'DAMAGED' ? finding.reason || finding.bytes : '';
      await deletables.save([{ fragmentId, to, reason }], this.clock.now());
      this.logger.warn(`fragment ${fragmentId} is ${to.state}: ${finding.reason}`);
      if (to.state === 'DAMAGED') {
        const place = { fragmentId, imageId, copy, number, mediaId };
        unit.announce(fragmentDamaged, fragmentId, { ...place, reason });
      }
      return to.state;
    });
  }
}
