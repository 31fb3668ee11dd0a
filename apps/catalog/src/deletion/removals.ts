import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { deleteClaim, deleteReport } from '#contracts/catalog/expiry.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { fragmentDeleted } from '#contracts/fragment.js';
import { Clock } from '#kernel/clock.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { answerClaim, decideDeletion } from '../domain/deletion.js';
import { CatalogEpoch } from '../persistence/catalog-epoch.js';
import {
  Deletables,
  tombstoneOf,
  type DeletionChange,
} from '../persistence/deletion/deletables.js';

type Report = RequestOf<typeof deleteReport>;

/** What media servers ask before they remove bytes, and say when they have. */
@Injectable()
export class Removals {
  private readonly logger = new Logger('deletion');

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly database: DataSource,
    private readonly clock: Clock,
    private readonly epoch: CatalogEpoch,
  ) {}

  /** Looks at what is committed, and locks nothing: a grant is never taken back. */
  async claim(request: RequestOf<typeof deleteClaim>): Promise<ResponseOf<typeof deleteClaim>> {
    const { mediaId, tombstoneId, fragmentId } = request;
    const found = await new Deletables(this.database).find(fragmentId);
    if (found && found.mediaId !== mediaId) {
      return { confirmed: false, reason: `the fragment is one of ${found.mediaId}` };
    }
    return answerClaim(found, tombstoneId);
  }

  /**
   * Each removal is told to the world once, however often it is reported. One that this catalog did not
   * grant was granted before it went back in time: a reconciliation settles it, the bytes may still be
   * in the trash.
   */
  async report({ mediaId, removals }: Report): Promise<ResponseOf<typeof deleteReport>> {
    const catalogEpoch = await this.epoch.get();
    const refused: string[] = [];
    await this.unitOfWork.run(async (unit) => {
      const now = this.clock.now();
      const deletables = new Deletables(unit.db);
      const ids = removals.map(({ fragmentId }) => fragmentId);
      const rows = (await deletables.lockThese(ids)).filter((row) => row.mediaId === mediaId);
      const known = new Map(rows.map((row) => [row.fragmentId, row]));
      const changes: DeletionChange[] = [];
      for (const removal of removals) {
        const row = known.get(removal.fragmentId.toLowerCase());
        if (!row) {
          refused.push(removal.fragmentId);
          continue;
        }
        const input = { type: 'report', tombstoneId: removal.tombstoneId } as const;
        const { fragment: to, refused: why } = decideDeletion(row, input, now.getTime());
        if (!to) {
          refused.push(row.fragmentId);
          this.logger.error(`${mediaId} removed fragment ${row.fragmentId}: ${why}`);
        } else if (row.state !== 'DELETED') {
          changes.push({ fragmentId: row.fragmentId, to, reason: row.stateReason });
          unit.announce(fragmentDeleted, row.fragmentId, tombstoneOf(row, catalogEpoch));
        }
      }
      await deletables.save(changes, now);
    });
    return { refused };
  }
}
