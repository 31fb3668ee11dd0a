import { setTimeout as sleep } from 'node:timers/promises';
import type { Manifest } from '#archive/manifest.js';
import { SystemClock } from '#kernel/clock.js';
import { uuidv7 } from '#kernel/ids.js';
import { Nats, type NatsOptions } from '#messaging/connection.js';
import { Publisher } from '#messaging/publisher.js';
import { Requests } from '#messaging/requests.js';
import { CatalogLink } from '../../apps/media/src/commits/catalog-link.js';
import { CommitOffers } from '../../apps/media/src/commits/commit-offers.js';
import { MediaConfig, mediaConfig } from '../../apps/media/src/config.js';
import { Volumes } from '../../apps/media/src/volumes/volumes.js';
import type { Volume } from '../../apps/media/src/volumes/volume.js';

/** What this process is told first. */
export interface MediaPlan {
  readonly mediaId: string;
  /** Holds the volume with its journal. */
  readonly folder: string;
  readonly nats: NatsOptions;
  readonly imageId: string;
  readonly attempt: number;
}

/** What it is told then, one after the other. Each is answered with a list of numbers. */
export type MediaOrder =
  /** Seals without a pause, with so many on their way. Answers how many were committed in `ms`. */
  | {
      readonly order: 'load';
      readonly underWay: number;
      readonly warmMs: number;
      readonly ms: number;
    }
  /** Seals one every `everyMs`, whatever becomes of them. Answers milliseconds, SEALED to receipt. */
  | {
      readonly order: 'pace';
      readonly firstMs: number;
      readonly everyMs: number;
      readonly fragments: number;
    }
  /** Seals and offers so many. Answers at once. */
  | { readonly order: 'seal'; readonly fragments: number }
  /** Answers when every fragment has its receipt in the journal. */
  | { readonly order: 'settle' };

const SETTLED_LOOK_MS = 5;
const clock = new SystemClock();

/**
 * A media server without the data port: its volume's journal, its offers and its link to the catalog
 * are the real ones, its fragments have no bytes.
 */
class SealingMedia {
  private sealedSoFar = 0;

  private constructor(
    private readonly plan: MediaPlan,
    private readonly volume: Volume,
    private readonly offers: CommitOffers,
  ) {}

  static async start(plan: MediaPlan): Promise<SealingMedia> {
    const nats = await Nats.connect(plan.nats);
    const volumes = await Volumes.open({
      mediaId: plan.mediaId,
      volumes: [{ path: plan.folder, pool: 'default' }],
      volumeReserveBytes: 0,
      clock,
    });
    const config = new MediaConfig(
      mediaConfig.parse({
        HOLDFAST_MEDIA_ID: plan.mediaId,
        HOLDFAST_MEDIA_VOLUMES: `default=${plan.folder}`,
      }),
    );
    const link = new CatalogLink(nats, new Publisher(nats), new Requests(nats), config);
    const offers = new CommitOffers({
      publisher: link,
      inquiry: link,
      places: volumes,
      clock,
      chance: () => Math.random(),
    });
    link.listen((receipts) => offers.onReceipts(receipts));
    offers.start(volumes);
    void nats.watch(({ type }) => {
      if (type === 'reconnect') offers.onReconnect();
    });
    return new SealingMedia(plan, await volumes.roomiest('default'), offers);
  }

  carryOut(order: MediaOrder): Promise<number[]> {
    switch (order.order) {
      case 'load':
        return this.load(order);
      case 'pace':
        return this.pace(order);
      case 'seal':
        return this.sealMany(order.fragments);
      case 'settle':
        return this.settle();
      default:
        return order satisfies never;
    }
  }

  private async load(order: Extract<MediaOrder, { order: 'load' }>): Promise<number[]> {
    const from = performance.now() + order.warmMs;
    const until = from + order.ms;
    let committed = 0;
    const lane = async () => {
      while (performance.now() < until) {
        await this.committed(await this.seal());
        const now = performance.now();
        if (now >= from && now < until) committed += 1;
      }
    };
    await Promise.all(Array.from({ length: order.underWay }, lane));
    return [committed];
  }

  private async pace(order: Extract<MediaOrder, { order: 'pace' }>): Promise<number[]> {
    const begun = performance.now() + order.firstMs;
    const one = async () => {
      const fragmentId = await this.seal();
      const sealed = performance.now();
      await this.committed(fragmentId);
      return performance.now() - sealed;
    };
    const all: Promise<number>[] = [];
    for (let n = 0; n < order.fragments; n += 1) {
      await sleep(Math.max(0, begun + n * order.everyMs - performance.now()));
      all.push(one());
    }
    return Promise.all(all);
  }

  private async sealMany(fragments: number): Promise<number[]> {
    await Promise.all(Array.from({ length: fragments }, () => this.seal()));
    return [];
  }

  private async settle(): Promise<number[]> {
    while (this.offers.open > 0) await sleep(SETTLED_LOOK_MS);
    return [];
  }

  /** As a write session does: INTENT, SEALED, and only then the offer. */
  private async seal(): Promise<string> {
    const manifest = this.nextManifest();
    const { fragmentId, imageId, copy, number, attempt } = manifest;
    await this.volume.ledger.intent({ fragmentId, imageId, copy, number, attempt });
    await this.volume.ledger.sealed(manifest, clock.now().toISOString());
    this.offers.add(fragmentId, this.volume);
    return fragmentId;
  }

  private async committed(fragmentId: string): Promise<void> {
    const verdict = await this.offers.verdict(fragmentId);
    if (verdict !== 'COMMITTED') throw new Error(`${fragmentId} is ${verdict}`);
  }

  private nextManifest(): Manifest {
    const { imageId, attempt } = this.plan;
    this.sealedSoFar += 1;
    const number = this.sealedSoFar;
    return {
      version: 1,
      fragmentId: uuidv7(clock.now()),
      imageId,
      copy: 1,
      number,
      attempt,
      client: 'web1',
      policy: 'files',
      kind: 'full',
      backupTime: 1_790_000_000,
      archiveOffset: number * 1_000,
      archiveBytes: 1_000,
      storedBytes: 500,
      digest: number.toString(16).padStart(64, 'a'),
      indexBytes: 100,
      indexDigest: number.toString(16).padStart(64, 'b'),
      frames: 1,
      last: false,
    };
  }
}

function answer(numbers: readonly number[]): void {
  process.send!(numbers);
}

let media: SealingMedia | undefined;
process.on('disconnect', () => process.exit(0));
process.on('message', (message: MediaPlan | MediaOrder) => {
  void (async () => {
    if ('order' in message) return answer(await media!.carryOut(message));
    media = await SealingMedia.start(message);
    answer([]);
  })().catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
