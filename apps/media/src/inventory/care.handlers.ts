import { Controller } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import {
  mediaAdopt,
  mediaInventory,
  mediaManifests,
  mediaOfferAgain,
  mediaTakeBack,
  mediaVerifyFragment,
} from '#contracts/media.js';
import { Answers } from '#messaging/answers.js';
import { MediaNode } from '../media-node.js';
import { MediaRemovals } from '../removal/media-removals.js';
import { Care } from './care.js';
import { FragmentChecks } from './fragment-checks.js';
import { inventoryPage, manifestsPage } from './inventory.js';

/** What the catalog asks to compare itself with this media server, and to settle what differs. */
@Controller()
export class CareHandlers {
  private readonly checks = new FragmentChecks();

  constructor(
    private readonly node: MediaNode,
    private readonly removals: MediaRemovals,
  ) {}

  @Answers(mediaInventory)
  async inventory({
    after = '',
    limit,
  }: RequestOf<typeof mediaInventory>): Promise<ResponseOf<typeof mediaInventory>> {
    const { rows: entries, next } = await inventoryPage(this.node.holdings, { after, limit });
    const all = [...this.node.volumes];
    const places = all.map(({ volumeId, pool, path }) => ({ volumeId, pool, path }));
    const orphans = all.flatMap(({ orphanDoubt }) => orphanDoubt ?? []);
    return { entries, next, volumes: await this.node.volumesThere(), places, orphans };
  }

  @Answers(mediaManifests)
  async manifests({
    after = '',
    limit,
  }: RequestOf<typeof mediaManifests>): Promise<ResponseOf<typeof mediaManifests>> {
    const { rows: manifests, next } = await manifestsPage(this.node.holdings, { after, limit });
    return { manifests, next };
  }

  @Answers(mediaOfferAgain)
  async offerAgain({
    fragmentIds,
  }: RequestOf<typeof mediaOfferAgain>): Promise<ResponseOf<typeof mediaOfferAgain>> {
    return { offered: await this.care().offerAgain(fragmentIds) };
  }

  @Answers(mediaAdopt)
  async adopt({
    fragmentIds,
  }: RequestOf<typeof mediaAdopt>): Promise<ResponseOf<typeof mediaAdopt>> {
    return { adopted: await this.care().adopt(fragmentIds) };
  }

  @Answers(mediaTakeBack)
  async takeBack({
    fragmentIds,
  }: RequestOf<typeof mediaTakeBack>): Promise<ResponseOf<typeof mediaTakeBack>> {
    return { takenBack: await this.care().takeBack(fragmentIds) };
  }

  @Answers(mediaVerifyFragment)
  async verifyFragment({
    fragmentId,
  }: RequestOf<typeof mediaVerifyFragment>): Promise<ResponseOf<typeof mediaVerifyFragment>> {
    const volumes = await this.node.volumesThere();
    const holding = this.node.holdings.find(fragmentId);
    if (!holding)
      return { bytes: 'missing', reason: 'neither journal nor volume knows it', volumes };
    const found = await this.checks.look(holding);
    return { bytes: found?.bytes ?? null, reason: found?.reason ?? '', volumes };
  }

  private care(): Care {
    const { holdings, offers, clock } = this.node;
    return new Care({ holdings, offers, clock, removals: this.removals.removals });
  }
}
