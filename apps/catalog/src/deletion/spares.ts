import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '#kernel/clock.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { CatalogConfig } from '../config.js';
import { decideDeletion, isMarked } from '../domain/deletion.js';
import { isStillNeeded } from '../domain/expiry.js';
import { Copies } from '../persistence/copies/copies.js';
import { Deletables, type DeletionChange } from '../persistence/deletion/deletables.js';
import { ImageFactsReader } from '../persistence/deletion/image-facts.js';
import { RefusedFragments } from '../persistence/deletion/refused.js';
import { Images } from '../persistence/images.js';

/** Images that a round takes at once. */
const IMAGES_MAX = 256;

/** Marks for deletion what another fragment has taken the place of. */
@Injectable()
export class Spares {
  private readonly logger = new Logger('deletion');

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly database: DataSource,
    private readonly clock: Clock,
    private readonly config: CatalogConfig,
  ) {}

  /** One round: damaged fragments that were repaired, and refused ones that nobody needs. */
  async round(signal: AbortSignal): Promise<void> {
    const replaced = await new Deletables(this.database).imagesWithReplaced(IMAGES_MAX);
    for (const imageId of replaced) {
      if (!signal.aborted) await this.retireReplaced(imageId);
    }
    const refused = new RefusedFragments(this.database);
    const spares = await refused.imagesWithSpares(this.clock.now(), IMAGES_MAX);
    for (const imageId of spares) {
      if (!signal.aborted) await this.releaseRefused(imageId);
    }
  }

  private retireReplaced(imageId: string): Promise<void> {
    return this.unitOfWork.run(async ({ db }) => {
      await new Images(db).lock(imageId);
      const now = this.clock.now();
      const deletables = new Deletables(db);
      const fragments = await deletables.lock(imageId);
      const holders = new Map(
        fragments
          .filter(({ state }) => state === 'ACTIVE')
          .map(({ copy, number, fragmentId }) => [`${copy}/${number}`, fragmentId]),
      );
      const pins = await deletables.pinsOf(fragments.map(({ fragmentId }) => fragmentId));
      const holds = (await new ImageFactsReader(db).holds(imageId)).length;
      const changes = fragments.flatMap((each): DeletionChange[] => {
        const holder = holders.get(`${each.copy}/${each.number}`);
        if (each.state !== 'DAMAGED' || isMarked(each) || holder === undefined) return [];
        const ties = { pins: pins.get(each.fragmentId) ?? 0, holds, isLastGood: false };
        const deletableAt = this.deletableAt(now).getTime();
        const input = { type: 'retire', ties, deletableAt } as const;
        const { fragment: to } = decideDeletion(each, input, now.getTime());
        const reason = `${each.stateReason}; fragment ${holder} took its place`;
        return to ? [{ fragmentId: each.fragmentId, to, reason }] : [];
      });
      await deletables.save(changes, now);
    });
  }

  private releaseRefused(imageId: string): Promise<void> {
    return this.unitOfWork.run(async ({ db }) => {
      const image = await new Images(db).lock(imageId);
      // Nobody commits one of them meanwhile.
      await new Copies(db).lock(imageId);
      const now = this.clock.now();
      const facts = await new ImageFactsReader(db).of(image!, now);
      if (facts.holds.length > 0) return;
      const isOver = !facts.isBeingMade && !isStillNeeded(facts, now);
      const deletableAt = this.deletableAt(now);
      const moved = await new RefusedFragments(db).release(imageId, { isOver, now, deletableAt });
      if (moved > 0) this.logger.log(`${moved} refused fragments of ${imageId} are to go`);
    });
  }

  private deletableAt(now: Date): Date {
    return new Date(now.getTime() + this.config.deleteGraceMs);
  }
}
