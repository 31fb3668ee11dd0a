import {
  fragmentCommitMessage,
  fragmentReceipt,
  tombstone,
  type FragmentCommit,
} from '#contracts/fragment.js';
import { subjectOf } from '#contracts/contract.js';
import { catalogFragmentOffer, catalogFragmentStatus } from '#contracts/image.js';
import { mediaDrain, mediaOfferAgain } from '#contracts/media.js';
import { mediaDeletes, mediaReceipts, mediaTasks } from '#contracts/streams.js';
import { mediaTask } from '#contracts/task.js';
import { VolumeUnusable } from '#storage/errors.js';
import { DiskError } from '../../parts/disk.js';
import { Clock } from '#kernel/clock.js';
import { commitOf } from '../../../../apps/media/src/commits/commit.js';
import { CommitOffers } from '../../../../apps/media/src/commits/commit-offers.js';
import type { FragmentState } from '../../../../apps/media/src/domain/journal-state.js';
import type { Volume } from '../../../../apps/media/src/volumes/volume.js';
import type { Life } from '../../kernel/host.js';
import type { SimDisk } from '../../parts/sim-disk.js';
import type { Cluster } from '../cluster.js';
import { Link } from '../link.js';
import { DiskLink } from './disk-link.js';
import { FragmentFiles } from './fragment-files.js';
import { FragmentWriter } from './fragment-writer.js';
import { Removals } from './removals.js';
import { SimLedger } from './sim-ledger.js';
import { MediaSessions } from './media-sessions.js';

const TICK_MS = 5_000;
/** From a journal that failed to the end of its program. */
const BROKEN_MS = 1_000;

/**
 * One life of a media server: a thin shell around the real offers (the very class) and the real rules
 * of journal, receipts and grants.
 */
export class MediaProgram {
  readonly link: Link;
  readonly files: FragmentFiles;
  readonly pool: string;
  private opened: { ledger: SimLedger; offers: CommitOffers; writer: FragmentWriter } | undefined;

  constructor(
    readonly life: Life,
    readonly cluster: Cluster,
    disk: SimDisk,
  ) {
    this.link = new Link(life, cluster);
    this.files = new FragmentFiles(
      new DiskLink(life, disk),
      cluster.rules.habits.skipsSync === undefined,
    );
    this.pool = cluster.poolOf(this.mediaId);
    life.spawn('start', () => this.untilBroken(this.start(new DiskLink(life, disk))));
  }

  get mediaId(): string {
    return this.life.host.name;
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

  /** Once more, whatever the journal has of it. */
  async offerAgain(fragmentId: string): Promise<boolean> {
    const state = this.ledger!.find(fragmentId);
    if (state?.phase !== 'SEALED' && state?.phase !== 'JUDGED') return false;
    await this.publish(this.commitOf(state));
    return true;
  }

  private async start(disk: DiskLink): Promise<void> {
    const { life, link, mediaId, files } = this;
    const ledger = await SimLedger.open(disk);
    const writer = new FragmentWriter(life, files, ledger);
    this.opened = { ledger, writer, offers: this.makeOffers() };
    await writer.recover();
    const { offers } = this;
    offers.start([this.volume()]);
    link.consume({
      spec: mediaReceipts(mediaId),
      batchMax: 64,
      handle: async (batch) => {
        const receipts = batch.map(({ payload }) => fragmentReceipt.parse(JSON.parse(payload)));
        await this.untilBroken(Promise.all(receipts.map((each) => offers.onReceipt(each))));
      },
    });
    this.cluster.network.whenBack(life, () => offers.onReconnect());
    this.handleRemovals(ledger);
    const sessions = new MediaSessions(this);
    this.serve(sessions);
    link.consume({
      spec: mediaTasks(mediaId),
      batchMax: 16,
      handle: async (batch) => {
        for (const { payload } of batch) sessions.onTask(mediaTask.parse(JSON.parse(payload)));
      },
    });
  }

  private handleRemovals(ledger: SimLedger): void {
    const { link, mediaId, files, cluster } = this;
    const removals = new Removals({
      ...{ mediaId, link, files, ledger, rules: cluster.rules },
      offerAgain: (fragmentId) => this.offer(fragmentId),
    });
    removals.start();
    link.consume({
      spec: mediaDeletes(mediaId),
      batchMax: 16,
      handle: async (batch) => {
        for (const { payload } of batch) {
          await this.untilBroken(removals.onGrant(tombstone.parse(JSON.parse(payload))));
        }
      },
    });
  }

  private serve(sessions: MediaSessions): void {
    const { link, mediaId } = this;
    link.serve(
      mediaDrain,
      async ({ imageId, copy }) => {
        sessions.end({ imageId, copy });
        const states = this.ledger!.all().map(([, state]) => state);
        const open = states.filter(
          (state) =>
            state.phase === 'SEALED' &&
            state.manifest.imageId === imageId &&
            state.manifest.copy === copy,
        );
        return { open: open.length };
      },
      mediaId,
    );
    link.serve(
      mediaOfferAgain,
      async ({ fragmentIds }) => {
        let offered = 0;
        for (const id of fragmentIds) if (await this.offerAgain(id)) offered += 1;
        return { offered };
      },
      mediaId,
    );
  }

  private makeOffers(): CommitOffers {
    const { life, link, mediaId } = this;
    return new CommitOffers({
      publisher: { publish: (commit) => this.publishOffer(commit) },
      inquiry: {
        fragmentStatus: async (fragmentIds) => {
          const request = { mediaId, fragmentIds: [...fragmentIds] };
          return link.request(catalogFragmentStatus, request);
        },
        fragmentOffer: async (commits) => {
          const request = { mediaId, commits: [...commits] };
          return (await link.request(catalogFragmentOffer, request)).receipts;
        },
      },
      places: { volumeOf: (id) => (this.ledger?.find(id) ? this.volume() : undefined) },
      clock: new WorldClock(life),
      chance: () => life.host.chance.next(),
      settings: { tickMs: TICK_MS },
      every: (ms, work) => {
        life.every(ms, work);
        return () => undefined;
      },
    });
  }

  private async publishOffer(commit: FragmentCommit): Promise<void> {
    await this.publish(commit);
    if (!this.cluster.rules.habits.trustsTheBroker) return;
    const { fragmentId, mediaId } = commit;
    await this.ledger!.verdict({
      ...{ fragmentId, mediaId, verdict: 'COMMITTED', catalogEpoch: 'assumed' },
    });
  }

  private publish(commit: FragmentCommit): Promise<void> {
    return this.link.publish({
      subject: subjectOf(fragmentCommitMessage, commit.mediaId, commit.fragmentId),
      payload: JSON.stringify(commit),
      id: commit.fragmentId,
    });
  }

  private commitOf(state: Extract<FragmentState, { phase: 'SEALED' | 'JUDGED' }>): FragmentCommit {
    const { mediaId, pool } = this;
    return commitOf({ mediaId, pool }, { ...state, phase: 'SEALED' });
  }

  /** What `CommitOffers` uses of a volume: its ledger, whose it is, and its pool. */
  private volume(): Volume {
    const { ledger, mediaId, pool } = this;
    return { ledger, mediaId, pool, volumeId: mediaId } as unknown as Volume;
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
