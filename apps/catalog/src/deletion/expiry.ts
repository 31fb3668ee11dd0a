import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { DataSource } from 'typeorm';
import type { ExpiryDecision, imageExpire } from '#contracts/catalog/expiry.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { Clock } from '#kernel/clock.js';
import { InvalidInput } from '#kernel/errors.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { CatalogConfig } from '../config.js';
import { unknownImage } from '../domain/chains/chain.js';
import { decideDeletion } from '../domain/deletion.js';
import { keptUntil, planExpiry, type ImageFacts } from '../domain/expiry.js';
import { isOver } from '../domain/retention.js';
import { Copies } from '../persistence/copies/copies.js';
import {
  Deletables,
  type DeletableFragment,
  type DeletionChange,
} from '../persistence/deletion/deletables.js';
import { ImageFactsReader, type ExpiredCursor } from '../persistence/deletion/image-facts.js';
import type { ImageRow } from '../persistence/entities/image.entity.js';
import { Images } from '../persistence/images.js';

type ExpireRequest = RequestOf<typeof imageExpire>;
type ExpireResponse = ResponseOf<typeof imageExpire>;
/** What became of one image. */
type Expired = Omit<ExpireResponse, 'next'>;

/** Each look for them goes through all images that are there. */
const PAGE_IMAGES = 10_000;

/** Marks for deletion what nobody needs any more. Nothing is removed by that. */
@Injectable()
export class Expiry {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly database: DataSource,
    private readonly clock: Clock,
    private readonly config: CatalogConfig,
  ) {}

  /** One image, or a page of those whose time is over; each in a transaction of its own. */
  async expire(request: ExpireRequest): Promise<ExpireResponse> {
    const { imageId, copy, now } = request;
    if (imageId !== undefined) return { ...(await this.expireOne(imageId, request)), next: null };
    if (now || copy !== undefined) {
      throw new InvalidInput('An image must be named for that.', 'imageId');
    }
    return this.expirePage(request);
  }

  private async expirePage(request: ExpireRequest): Promise<ExpireResponse> {
    const { after, limit } = request;
    const page = await this.expired({
      after: after === undefined ? undefined : cursorOf(after),
      limit,
    });
    const answers: Expired[] = [];
    for (const { imageId } of page) answers.push(await this.expireOne(imageId, request));
    return {
      decisions: answers.flatMap(({ decisions }) => decisions),
      deletableAt: answers.findLast(({ deletableAt }) => deletableAt !== null)?.deletableAt ?? null,
      next: page.length === limit ? textOf(page.at(-1)!) : null,
    };
  }

  /** Every image whose time is over, until `signal` says stop. */
  async expireAll(signal: AbortSignal): Promise<void> {
    let page = await this.expired({ limit: PAGE_IMAGES });
    while (page.length > 0) {
      for (const { imageId } of page) {
        if (signal.aborted) return;
        await this.expireOne(imageId, { now: false, dryRun: false });
      }
      page = await this.expired({ after: page.at(-1), limit: PAGE_IMAGES });
    }
  }

  private expired(page: { after?: ExpiredCursor | undefined; limit: number }) {
    return new ImageFactsReader(this.database).expired(this.clock.now(), page);
  }

  private async expireOne(
    imageId: string,
    request: Pick<ExpireRequest, 'copy' | 'now' | 'dryRun'>,
  ): Promise<Expired> {
    const known = await new Images(this.database.manager).find(imageId);
    if (!known) throw unknownImage(imageId);
    if (request.dryRun) {
      const facts = await factsOf(this.database.manager, known, this.at(request));
      const { decisions } = this.plan(known, facts, request);
      return { decisions, deletableAt: null };
    }
    return this.unitOfWork.run(async ({ db }) => {
      const images = new Images(db);
      // No backup chooses it as its base meanwhile.
      await images.lockClient(known.client);
      const image = (await images.lock(imageId))!;
      await new Copies(db).lock(imageId);
      const fragments = await new Deletables(db).lock(imageId);
      const at = this.at(request);
      const facts = await factsOf(db, image, at);
      const { decisions, isSooner } = this.plan(image, facts, request);
      if (isSooner) await images.save(imageId, { expiresAt: facts.expiresAt });
      const isMarked = await this.mark(db, { facts, fragments, decisions, now: at.now });
      const deletableAt = isMarked ? this.deletableAt(at.now).toISOString() : null;
      return { decisions, deletableAt };
    });
  }

  /**
   * `isSooner`: the image's time is over by this. It is not where all of it is kept: else it would go when nobody thinks
   * of it any more, at the first moment that what keeps it now is over.
   */
  private plan(
    image: ImageRow,
    facts: ImageFacts,
    request: Pick<ExpireRequest, 'copy'>,
  ): { decisions: ExpiryDecision[]; isSooner: boolean } {
    const decisions = planExpiry(facts, request, this.clock.now());
    const isAsked = facts.expiresAt?.getTime() !== image.expiresAt?.getTime();
    const isSooner = isAsked && decisions.some(({ decision }) => decision === 'delete');
    return {
      decisions: isAsked && !isSooner ? keptUntil(decisions, image) : decisions,
      isSooner,
    };
  }

  /** Of one copy `now` says nothing about its image, which is kept for as long as before. */
  private at({ copy, now }: Pick<ExpireRequest, 'copy' | 'now'>): {
    now: Date;
    isImmediate: boolean;
  } {
    return { now: this.clock.now(), isImmediate: now && copy === undefined };
  }

  private deletableAt(now: Date): Date {
    return new Date(now.getTime() + this.config.deleteGraceMs);
  }

  private async mark(
    db: EntityManager,
    of: {
      readonly facts: ImageFacts;
      readonly fragments: readonly DeletableFragment[];
      readonly decisions: readonly ExpiryDecision[];
      readonly now: Date;
    },
  ): Promise<boolean> {
    const { facts, fragments, now } = of;
    const deletables = new Deletables(db);
    const goes = new Map(
      of.decisions
        .filter(({ decision }) => decision === 'delete')
        .map(({ copy, reasons }) => [copy, reasons.join('; ')]),
    );
    const pins = await deletables.pinsOf(fragments.map(({ fragmentId }) => fragmentId));
    const deletableAt = this.deletableAt(now).getTime();
    const changes = fragments.flatMap((fragment): DeletionChange[] => {
      const why = goes.get(fragment.copy);
      if (why === undefined) return [];
      // Which copies an image can do without was decided above, for all of them together.
      const ties = {
        pins: pins.get(fragment.fragmentId) ?? 0,
        holds: facts.holds.length,
        isLastGood: false,
      };
      const input = { type: 'retire', ties, deletableAt } as const;
      const { fragment: to } = decideDeletion(fragment, input, now.getTime());
      return to ? [{ fragmentId: fragment.fragmentId, to, reason: reasonOf(fragment, why) }] : [];
    });
    await new Copies(db).close(facts.imageId, [...goes.keys()]);
    await deletables.save(changes, now);
    return changes.length > 0;
  }
}

function textOf({ expiresAt, imageId }: ExpiredCursor): string {
  return `${expiresAt.toISOString()} ${imageId}`;
}

function cursorOf(text: string): ExpiredCursor {
  const [expiresAt, imageId] = text.split(' ') as [string, string];
  return { expiresAt: new Date(expiresAt), imageId };
}

/** With `isImmediate`, as if the image's time were over now. */
async function factsOf(
  db: EntityManager,
  image: ImageRow,
  { now, isImmediate }: { readonly now: Date; readonly isImmediate: boolean },
): Promise<ImageFacts> {
  const facts = await new ImageFactsReader(db).of(image, now);
  return isImmediate && !isOver(facts.expiresAt, now) ? { ...facts, expiresAt: now } : facts;
}

function reasonOf({ stateReason }: DeletableFragment, why: string): string {
  return stateReason === '' ? why : `${stateReason}; ${why}`;
}
