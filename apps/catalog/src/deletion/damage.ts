import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { fragmentSuspect } from '#contracts/catalog/copy.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { fragmentDamaged } from '#contracts/fragment.js';
import type { FragmentState } from '#contracts/image.js';
import { FRAGMENT_VERIFY_MS_MAX, mediaVerifyFragment, type BytesState } from '#contracts/media.js';
import { Clock } from '#kernel/clock.js';
import { NotFound, Unavailable } from '#kernel/errors.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { MediaServers } from '../care/media-servers.js';
import { decideDamage } from '../domain/damage.js';
import { MediaVolumes } from '../persistence/care/media-volumes.js';
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
    private readonly database: DataSource,
    private readonly media: MediaServers,
    private readonly clock: Clock,
  ) {}

  /**
   * Has a fragment looked at that somebody could not read; only its own media server's word counts.
   * @throws Unavailable where that one does not answer: nothing changes then.
   */
  async suspect(
    request: RequestOf<typeof fragmentSuspect>,
  ): Promise<ResponseOf<typeof fragmentSuspect>> {
    const { fragmentId, reason, reporter } = request;
    const found = await new Deletables(this.database).find(fragmentId);
    if (!found) throw new NotFound('fragment', fragmentId);
    if (found.state === 'DELETING' || found.state === 'DELETED') return { state: found.state };
    this.logger.warn(`${reporter} suspects fragment ${fragmentId}: ${reason}`);
    const { mediaId } = found;
    const finding = await this.media.ask(
      mediaVerifyFragment,
      mediaId,
      { fragmentId },
      FRAGMENT_VERIFY_MS_MAX,
    );
    if (finding.bytes === 'missing') await this.requireVolumes(found.mediaId, finding.volumes);
    return { state: await this.found(fragmentId, finding) };
  }

  /** While a volume of its media server is away, a fragment that it does not show may be on that one. */
  private async requireVolumes(mediaId: string, there: readonly string[]): Promise<void> {
    const [away] = await new MediaVolumes(this.database).away(mediaId, there);
    if (away) throw new Unavailable(`the volume ${away} of media server ${mediaId} is away`, 83);
  }

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
