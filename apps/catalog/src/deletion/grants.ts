import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { fragmentDeleteMessage } from '#contracts/fragment.js';
import { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import { uuidv7 } from '#kernel/ids.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { Comparisons } from '../care/comparisons.js';
import { CatalogConfig } from '../config.js';
import { decideDeletion, isMarked } from '../domain/deletion.js';
import { hasNoOther, isLastGood, isStillNeeded, type ImageFacts } from '../domain/expiry.js';
import { CatalogEpoch, eraOf } from '../persistence/catalog-epoch.js';
import {
  Deletables,
  tombstoneOf,
  type DeletableFragment,
  type DeletionChange,
} from '../persistence/deletion/deletables.js';
import { ImageFactsReader } from '../persistence/deletion/image-facts.js';
import { Images } from '../persistence/images.js';

/** Images, and fragments of one, that a round takes at once. */
const BATCH_MAX = 256;
/** What cannot go although its grace period is over is looked at again after this. */
const LOOK_AGAIN_MS = 60_000;

/** Grants the deletion of what has waited out its grace period, and sends grants until they are done. */
@Injectable()
export class Grants {
  private readonly logger = new Logger('deletion');
  /** Media servers of which it was said that deletions wait for them. */
  private readonly waitedFor = new Set<string>();

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly database: DataSource,
    private readonly clock: Clock,
    private readonly config: CatalogConfig,
    private readonly epoch: CatalogEpoch,
    private readonly comparisons: Comparisons,
  ) {}

  /** One round: everything that is due. */
  async round(signal: AbortSignal): Promise<void> {
    const deletables = new Deletables(this.database);
    await this.grantAll(await deletables.dueImages(this.clock.now(), BATCH_MAX), signal);
    await this.resend();
  }

  /** What would be due and is on hold: none of it goes, but a copy may have become the last good one. */
  async roundOnHold(signal: AbortSignal): Promise<void> {
    await this.grantAll(await new Deletables(this.database).dueOnHold(this.clock.now()), signal);
  }

  private async resend(): Promise<void> {
    const sentBefore = new Date(this.clock.now().getTime() - this.config.grantResendMs);
    const catalogEpoch = await this.epoch.get();
    const sent = await this.unitOfWork.run(async (unit) => {
      const deletables = new Deletables(unit.db);
      const unreported = await deletables.lockUnreported(sentBefore, BATCH_MAX);
      for (const each of unreported) sendGrant(unit, each, catalogEpoch);
      const ids = unreported.map(({ fragmentId }) => fragmentId);
      if (ids.length > 0) await deletables.markSent(ids, this.clock.now());
      return ids.length;
    });
    if (sent > 0) this.logger.warn(`sent ${sent} grants again that nobody has reported done`);
  }

  private async grantAll(imageIds: readonly string[], signal: AbortSignal): Promise<void> {
    for (const imageId of imageIds) {
      try {
        while (!signal.aborted && (await this.grantDue(imageId)) === BATCH_MAX);
      } catch (error) {
        // It comes again with the next round; what is behind it must not wait for it.
        this.logger.error(`deletions of ${imageId} failed: ${messageOf(error)}`);
      }
    }
  }

  /** Returns how many fragments it granted or put off. */
  private async grantDue(imageId: string): Promise<number> {
    const catalogEpoch = await this.epoch.get();
    return this.unitOfWork.run(async (unit) => {
      const image = await new Images(unit.db).lock(imageId);
      const now = this.clock.now();
      const deletables = new Deletables(unit.db);
      const due = await deletables.lockDue(imageId, now, BATCH_MAX);
      const pins = await deletables.pinsOf(due.map(({ fragmentId }) => fragmentId));
      const reader = new ImageFactsReader(unit.db);
      const facts = await reader.of(image!, now);
      const keep = copiesOf(due, (copy) => isLastGood(facts, copy, now));
      if (facts.holds.length > 0) {
        // Until that is lifted it is not due, so it need not step aside.
        if (keep.size > 0) await this.takeBack(unit, imageId, keep);
        return 0;
      }
      const lookAgain = new Date(now.getTime() + LOOK_AGAIN_MS);
      const ifMarkedNow = new Date(now.getTime() + this.config.deleteGraceMs);
      const returnsUntil = await reader.returnsUntil(imageId, ifMarkedNow);
      const isNeeded = isStillNeeded(facts, now) || returnsUntil !== undefined;
      if (isNeeded && !(await this.isSure(unit, imageId))) {
        await deletables.save(
          due.map((each) => postponed(each, lookAgain)),
          now,
        );
        return due.length;
      }
      // What can be taken back must have what it builds on by then.
      const waiting = copiesOf(
        due,
        (copy) => returnsUntil !== undefined && hasNoOther(facts, copy),
      );
      const decisions = due
        .filter(({ copy }) => !keep.has(copy))
        .map((each): GrantDecision => {
          if (!waiting.has(each.copy)) {
            return decide(each, { facts, pins: pins.get(each.fragmentId) ?? 0, now });
          }
          return { change: postponed(each, latest(returnsUntil!, lookAgain)) };
        });
      this.tellOfRefused(imageId, decisions);
      const changes = decisions.map(({ change }) => change);
      await deletables.save(changes, now);
      const granted = changes.filter(({ to }) => to.state === 'DELETING');
      for (const each of await deletables.lockThese(granted.map((change) => change.fragmentId))) {
        sendGrant(unit, each, catalogEpoch);
      }
      if (keep.size > 0) await this.takeBack(unit, imageId, keep);
      return due.length;
    });
  }

  /**
   * Whether what the image keeps is known to be there. It is not right after the database was started
   * or put back: then the grant waits until its media servers have been compared with the catalog.
   */
  private async isSure({ db }: Work, imageId: string): Promise<boolean> {
    const servers = await new Deletables(db).serversOf(imageId);
    const unsure = this.comparisons.missing(servers, await eraOf(db));
    for (const server of servers) if (!unsure.includes(server)) this.waitedFor.delete(server);
    const untold = unsure.filter((server) => !this.waitedFor.has(server));
    for (const server of untold) this.waitedFor.add(server);
    if (untold.length > 0) {
      const what = `${untold.join(', ')} must be compared with the catalog first`;
      this.logger.warn(`deletions of images that are needed wait: ${what}`);
    }
    return unsure.length === 0;
  }

  /** Once for all of them: an image may have very many. */
  private tellOfRefused(imageId: string, decisions: readonly GrantDecision[]): void {
    const refusals = decisions.flatMap(({ refused }) => refused ?? []);
    if (refusals.length === 0) return;
    const what = `${refusals.length} ${refusals.length === 1 ? 'fragment' : 'fragments'} of ${imageId}`;
    this.logger.warn(`not deleted yet: ${what}, since ${[...new Set(refusals)].join('; ')}`);
  }

  /** A copy that was not the last good one when it was marked, and is it now. */
  private async takeBack(unit: Work, imageId: string, copies: ReadonlySet<number>): Promise<void> {
    const now = this.clock.now();
    const deletables = new Deletables(unit.db);
    const changes = (await deletables.lock(imageId))
      .filter((each) => copies.has(each.copy) && isMarked(each))
      .flatMap((each): DeletionChange[] => {
        const { fragment: to } = decideDeletion(each, { type: 'undelete' }, now.getTime());
        return to ? [{ fragmentId: each.fragmentId, to, reason: '' }] : [];
      });
    await deletables.save(changes, now);
    const names = [...copies].join(', ');
    this.logger.warn(`copy ${names} of ${imageId} is kept: the image is needed and has no other`);
  }
}

interface GrantDecision {
  readonly change: DeletionChange;
  /** In words, why it is not granted. */
  readonly refused?: string | undefined;
}

function decide(
  fragment: DeletableFragment,
  { facts, pins, now }: { facts: ImageFacts; pins: number; now: Date },
): GrantDecision {
  const { fragmentId, copy, stateReason } = fragment;
  const ties = {
    pins,
    holds: facts.holds.length,
    isLastGood: isLastGood(facts, copy, now),
  };
  const grant = { type: 'grant', ties, tombstoneId: uuidv7(now) } as const;
  const { fragment: to, refused } = decideDeletion(fragment, grant, now.getTime());
  if (to) return { change: { fragmentId, to, reason: stateReason } };
  return { change: postponed(fragment, new Date(now.getTime() + LOOK_AGAIN_MS)), refused };
}

/** Others have their turn first. */
function postponed(fragment: DeletableFragment, until: Date): DeletionChange {
  const { fragmentId, stateReason: reason } = fragment;
  return { fragmentId, to: { ...fragment, deletableAt: until.getTime() }, reason };
}

function latest(...times: readonly Date[]): Date {
  return new Date(Math.max(...times.map((time) => time.getTime())));
}

/** Copies that must stay as they are, with all that is marked of them, where `mustStay` says so of what is not damaged. */
function copiesOf(
  due: readonly DeletableFragment[],
  mustStay: (copy: number) => boolean,
): ReadonlySet<number> {
  const whole = due.filter(({ state }) => state === 'TO_BE_DELETED').map(({ copy }) => copy);
  return new Set([...new Set(whole)].filter(mustStay));
}

function sendGrant(unit: Work, fragment: DeletableFragment, catalogEpoch: string): void {
  const { mediaId, fragmentId } = fragment;
  unit.send(fragmentDeleteMessage, [mediaId, fragmentId], tombstoneOf(fragment, catalogEpoch));
}
