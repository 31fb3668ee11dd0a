import { deleteClaim, deleteReport } from '#contracts/catalog/expiry.js';
import {
  catalogFragmentOffer,
  catalogFragmentStatus,
  type FragmentCommit,
  receiptsOf,
  tombstone,
} from '#contracts/fragment.js';
import type { Endpoint, RequestOf, ResponseOf } from '#contracts/contract.js';
import {
  mediaAdopt,
  mediaDrain,
  mediaInventory,
  mediaOfferAgain,
  mediaTakeBack,
  mediaVerifyFragment,
} from '#contracts/media.js';
import { mediaDeletes, mediaReceipts, mediaTasks } from '#contracts/streams.js';
import { mediaTask } from '#contracts/task.js';
import { VolumeUnusable } from '#storage/errors.js';
import { DiskError } from '../../parts/disk.js';
import type { Manifest } from '#archive/manifest.js';
import { Clock } from '#kernel/clock.js';
import { commitMessageOf } from '../../../../apps/media/src/commits/commit.js';
import { CommitOffers } from '../../../../apps/media/src/commits/commit-offers.js';
import { Care } from '../../../../apps/media/src/inventory/care.js';
import { checkFragment } from '../../../../apps/media/src/inventory/fragment-check.js';
import { Holdings } from '../../../../apps/media/src/inventory/holdings.js';
import { inventoryPage } from '../../../../apps/media/src/inventory/inventory.js';
import { Removals, type Removal } from '../../../../apps/media/src/removal/removals.js';
import { emptyOldTrash } from '../../../../apps/media/src/removal/trash-reaper.js';
import {
  forgetRemoved,
  recoverSeals,
  recoverTrash,
} from '../../../../apps/media/src/volumes/recovery.js';
import type { Volume } from '../../../../apps/media/src/volumes/volume.js';
import type { Volumes } from '../../../../apps/media/src/volumes/volumes.js';
import type { Life } from '../../kernel/host.js';
import type { SimDisk } from '../../parts/sim-disk.js';
import type { Rules } from '../../rules.js';
import type { Cluster } from '../cluster.js';
import { contentsOf, Link } from '../link.js';
import { isOutage } from '../network.js';
import { DiskLink } from './disk-link.js';
import { FragmentWriter } from './fragment-writer.js';
import { SimLedger } from './sim-ledger.js';
import { SimStore } from './sim-store.js';
import type { MediaContext } from './media-context.js';
import { MediaSessions } from './media-sessions.js';

const TICK_MS = 5_000;
/** From a journal that failed to the end of its program. */
const BROKEN_MS = 1_000;
const BAD_HABITS_MS = 45_000;
const SETTLE_MS = 20_000;
const REAP_MS = 30_000;

/**
 * One life of a media server: a thin shell around the real offers (the very class) and the real rules
 * of journal, receipts and grants.
 */
export class MediaProgram implements MediaContext {
  readonly link: Link;
  readonly store: SimStore;
  readonly pool: string;
  private removals: Removals | undefined;
  private opened:
    | {
        ledger: SimLedger;
        offers: CommitOffers;
        writer: FragmentWriter;
        holdings: Holdings;
      }
    | undefined;

  constructor(
    readonly life: Life,
    readonly cluster: Cluster,
    disk: SimDisk,
  ) {
    this.link = new Link(life, cluster);
    this.store = new SimStore(new DiskLink(life, disk), cluster.rules.habits);
    this.pool = cluster.poolOf(this.mediaId);
    life.spawn('start', () => this.untilBroken(this.start(new DiskLink(life, disk))));
  }

  get mediaId(): string {
    return this.life.host.name;
  }

  get rules(): Rules {
    return this.cluster.rules;
  }

  get ledger(): SimLedger | undefined {
    return this.opened?.ledger;
  }

  get offers(): CommitOffers {
    return this.opened!.offers;
  }

  get writer(): FragmentWriter {
    return this.opened!.writer;
  }

  /** Adds a sealed fragment to what is offered. */
  offer(fragmentId: string): void {
    this.offers.add(fragmentId, this.volume());
  }

  private async start(disk: DiskLink): Promise<void> {
    const { life, link, mediaId } = this;
    const ledger = await SimLedger.open(disk);
    const writer = new FragmentWriter(life, this.store, ledger);
    const holdings = new Holdings(this.volumes());
    this.opened = { ledger, writer, holdings, offers: this.makeOffers() };
    await recoverSeals(this.volume(), new WorldClock(life));
    // Its disk refuses writes alone, of which it dies.
    if ((await recoverTrash(this.volume())).length > 0) return this.end();
    await forgetRemoved(this.volume());
    life.spawn('orphans', () => this.untilBroken(holdings.scan()).then(() => undefined));
    const { offers } = this;
    offers.start([this.volume()]);
    link.consume({
      spec: mediaReceipts(mediaId),
      batchMax: 64,
      handle: async (batch) => {
        const receipts = batch.flatMap(({ payload }) => receiptsOf(JSON.parse(payload)));
        await this.untilBroken(offers.onReceipts(receipts));
      },
    });
    if (!this.cluster.rules.habits.offersOnce) {
      this.cluster.network.whenBack(life, () => offers.onReconnect());
    }
    life.every(BAD_HABITS_MS, () => this.indulge(ledger));
    this.handleRemovals();
    const sessions = new MediaSessions(this);
    this.serve(sessions);
    link.consume({
      spec: mediaTasks(mediaId),
      batchMax: 16,
      handle: async (batch) => {
        for (const task of contentsOf(batch, mediaTask)) sessions.onTask(task);
      },
    });
  }

  /** What no media server may ever do; the simulator has to notice. */
  private indulge(ledger: SimLedger): void {
    const { deletesOnSilence, sweepsTheUnknown } = this.cluster.rules.habits;
    for (const [, state] of ledger.all()) {
      if (state.phase !== 'SEALED') continue;
      const isOld = this.life.world.now - Date.parse(state.sealedAt) > BAD_HABITS_MS;
      if (!isOld) continue;
      // The seed: the fragment could not be recorded, so what it was made from is given up.
      const { imageId } = state.manifest;
      if (deletesOnSilence) this.destroyWhere((each) => each.imageId === imageId);
      if (sweepsTheUnknown) this.destroyWhere((each) => each === state.manifest);
    }
  }

  private destroyWhere(isMeant: (manifest: Manifest) => boolean): void {
    for (const [, state] of this.ledger!.all()) {
      if (state.phase === 'INTENT' || !isMeant(state.manifest)) continue;
      this.store.destroy(state.manifest);
    }
  }

  /** The real removals: grant, claim, trash, report, and what a crash cut in between. */
  private handleRemovals(): void {
    const { life, link, mediaId } = this;
    const removals = new Removals({
      volumes: this.volumes(),
      offers: this.offers,
      catalog: {
        claim: (removal) => this.claim(removal),
        report: async (gone) => {
          const request = { mediaId, removals: [...gone] };
          return (await link.request(deleteReport, request)).refused;
        },
      },
      log: (_, text) => life.world.note(() => `${mediaId}: ${text}`),
    });
    this.removals = removals;
    this.repeat(SETTLE_MS, () => removals.settle(this.volume()));
    this.repeat(REAP_MS, () => removals.alone(this.volume(), () => this.reap(removals)));
    link.consume({
      spec: mediaDeletes(mediaId),
      batchMax: 16,
      handle: async (batch) => {
        for (const granted of contentsOf(batch, tombstone)) {
          await this.untilBroken(removals.onGrant(granted));
        }
      },
    });
  }

  private claim(removal: Removal): Promise<{ confirmed: boolean; reason: string }> {
    const { link, mediaId } = this;
    if (this.cluster.rules.habits.skipsTheClaim) {
      return Promise.resolve({ confirmed: true, reason: '' });
    }
    return link.request(deleteClaim, { mediaId, ...removal });
  }

  private async reap(removals: Removals): Promise<void> {
    const now = new Date(this.life.world.now);
    const time = { graceMs: this.cluster.settings.trashGraceMs, now };
    const standsBy = (removal: Removal) => removals.standsBy(removal);
    await emptyOldTrash(this.volumes(), time, standsBy, (_what, error) => {
      throw error;
    });
  }

  private repeat(ms: number, work: () => Promise<unknown>): void {
    this.life.spawn('repeated work', async () => {
      for (;;) {
        try {
          await this.untilBroken(work());
        } catch (error) {
          if (!isOutage(error)) throw error;
        }
        await this.life.sleep(ms);
      }
    });
  }

  private serve(sessions: MediaSessions): void {
    const { link, mediaId } = this;
    const { offers, holdings } = this.opened!;
    const ask = <E extends Endpoint>(
      endpoint: E,
      work: (request: RequestOf<E>) => Promise<ResponseOf<E>>,
    ): void => link.serve(endpoint, (request) => this.untilBroken(work(request)), mediaId);
    ask(mediaDrain, async (copy) => {
      sessions.end(copy);
      await offers.offerDirectly(offers.openOf(copy));
      return { open: offers.openOf(copy).length };
    });
    ask(mediaInventory, async ({ after = '', limit }) => {
      const { rows: entries, next } = await inventoryPage(holdings, { after, limit });
      return { entries, next, volumes: [] };
    });
    ask(mediaVerifyFragment, async ({ fragmentId }) => {
      const holding = holdings.find(fragmentId);
      if (!holding) return { bytes: 'missing' as const, reason: '', volumes: [] };
      const { bytes, reason } = await checkFragment(holding);
      return { bytes, reason, volumes: [] };
    });
    const care = new Care({
      ...{ holdings, offers, removals: this.removals!, clock: new WorldClock(this.life) },
    });
    ask(mediaOfferAgain, async (of) => ({ offered: await care.offerAgain(of.fragmentIds) }));
    ask(mediaAdopt, async (of) => ({ adopted: await care.adopt(of.fragmentIds) }));
    ask(mediaTakeBack, async (of) => ({ takenBack: await care.takeBack(of.fragmentIds) }));
  }

  private makeOffers(): CommitOffers {
    const { life, link, mediaId } = this;
    return new CommitOffers({
      publisher: { publish: (commits) => this.publishOffer(commits) },
      inquiry: {
        fragmentStatus: async (fragmentIds) => {
          const request = { mediaId, fragmentIds: [...fragmentIds] };
          return link.request(catalogFragmentStatus, request);
        },
        fragmentOffer: async (commits) => {
          if (this.cluster.rules.habits.offersByBrokerOnly) return [];
          const request = { mediaId, commits: [...commits] };
          return (await link.request(catalogFragmentOffer, request)).receipts;
        },
      },
      places: this.volumes(),
      clock: new WorldClock(life),
      chance: () => life.host.chance.next(),
      settings: { tickMs: TICK_MS },
      every: (ms, work) => {
        if (!this.cluster.rules.habits.offersOnce) life.every(ms, work);
        return () => undefined;
      },
    });
  }

  private async publishOffer(commits: readonly FragmentCommit[]): Promise<void> {
    await this.publish(commits);
    if (!this.cluster.rules.habits.trustsTheBroker) return;
    const assumed = { verdict: 'COMMITTED', catalogEpoch: 'assumed' } as const;
    await this.ledger!.verdicts(
      commits.map(({ fragmentId, mediaId }) => ({ fragmentId, mediaId, ...assumed })),
    );
  }

  private publish(commits: readonly FragmentCommit[]): Promise<void> {
    const { id, subject, payload } = commitMessageOf(this.mediaId, commits);
    return this.link.publish({ id, subject, payload: JSON.stringify(payload) });
  }

  /** What the real classes use of a volume. */
  private volume(): Volume {
    const { ledger, mediaId, pool, store } = this;
    // A simulated disk is never unmounted.
    const requireThere = () => Promise.resolve();
    const answers = () => Promise.resolve(true);
    const looks = { requireThere, requireAnswer: requireThere, answers };
    const volume = { ledger, mediaId, pool, store, ...looks, volumeId: mediaId };
    return volume as unknown as Volume;
  }

  private volumes(): Volumes {
    const volumeOf = (id: string) => (this.ledger?.find(id) ? this.volume() : undefined);
    const all = { volumeOf, [Symbol.iterator]: () => [this.volume()].values() };
    return all as unknown as Volumes;
  }

  /** A journal that fails ends the program: what waited for it never comes to anything. */
  private async untilBroken<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!isBroken(error)) throw error;
      return this.end();
    }
  }

  /** As `untilBroken`, where a failed write of something else is the caller's to deal with. */
  async untilJournalBreaks<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof VolumeUnusable)) throw error;
      return this.end();
    }
  }

  private end(): Promise<never> {
    const { host } = this.life;
    this.life.later(BROKEN_MS, () => host.die('kill', host.chance));
    return new Promise(() => undefined);
  }
}

/** The journal could not be opened or written. */
function isBroken(error: unknown): boolean {
  return error instanceof DiskError || error instanceof VolumeUnusable;
}

class WorldClock extends Clock {
  constructor(private readonly life: Life) {
    super();
  }

  now(): Date {
    return new Date(this.life.world.now);
  }
}
