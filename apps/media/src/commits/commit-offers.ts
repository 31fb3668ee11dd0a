import {
  COMMITS_PER_MESSAGE_MAX,
  type FragmentCommit,
  type FragmentReceipt,
  type Verdict,
} from '#contracts/fragment.js';
import type { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import { commitOf } from './commit.js';
import { noCrash, type CrashPoint } from '../crash-point.js';
import type { FragmentState } from '../domain/journal-state.js';
import {
  NEW_OFFER,
  OFFER_DEFAULTS,
  stepOffer,
  UNKNOWN_IMAGE_MAX,
  type Offer,
  type OfferInput,
  type OfferSettings,
} from '../domain/offer.js';
import { decideReceipt, type ReceiptOrigin } from '../domain/receipt.js';
import type { Volume } from '../volumes/volume.js';

/**
 * Brings commits to the broker, all in one message. Resolves when it was acknowledged, which proves
 * nothing: it may be called again with the same commits, in whatever company, at any time.
 */
export interface CommitPublisher {
  publish(commits: readonly FragmentCommit[]): Promise<void>;
}

/** Asks the catalog past the broker. */
export interface CatalogInquiry {
  /** `unknown`: it has neither these nor a refusal of them. */
  fragmentStatus(fragmentIds: readonly string[]): Promise<{
    readonly receipts: readonly FragmentReceipt[];
    readonly unknown: readonly string[];
  }>;
  /** Has them judged and committed at once; at most `INQUIRY_FRAGMENTS_MAX`. */
  fragmentOffer(commits: readonly FragmentCommit[]): Promise<readonly FragmentReceipt[]>;
}

/** The volumes that the offers are about. */
export interface FragmentPlaces {
  /** The volume whose journal knows the fragment. */
  volumeOf(fragmentId: string): Volume | undefined;
}

export interface CommitOffersOptions {
  readonly publisher: CommitPublisher;
  readonly inquiry: CatalogInquiry;
  readonly places: FragmentPlaces;
  readonly clock: Clock;
  /** A number from 0 to 1, for the jitter. */
  readonly chance: () => number;
  readonly settings?: Partial<OfferSettings> & { readonly tickMs?: number };
  readonly crashPoint?: CrashPoint;
  /** Calls `work` that often until what it returns is called. Default: the machine's timer. */
  readonly every?: (ms: number, work: () => void) => () => void;
}

/** Messages that may be under way at once; what is sealed meanwhile goes with the next one. */
export const PUBLISHES_IN_FLIGHT_MAX = 4;
/** Fragments that one question to the catalog names. */
const INQUIRY_FRAGMENTS_MAX = 256;
/** Small indexes that are kept until the verdict; the catalog fetches the others. */
const INDEXES_KEPT_MAX = 64;
const TICK_MS = 500;
/** Rest after a question that nobody answered. */
const ASK_AGAIN_AFTER_MS = 5_000;

interface Entry {
  offer: Offer;
  readonly commit: FragmentCommit;
}

/**
 * Offers every sealed fragment to the catalog until its verdict is in the journal. It promises:
 *
 * - What is added is published again and again, with a growing delay, at once when the broker comes
 *   back, and after a restart; whatever the broker says. Only a verdict ends it.
 * - After two receipts that did not come the catalog is asked directly, and what it does not know is
 *   offered to it directly too.
 * - A verdict is in the journal before anyone is told of it.
 * - Nothing is ever deleted, and silence changes nothing.
 */
export class CommitOffers {
  private readonly entries = new Map<string, Entry>();
  private readonly indexes = new Map<string, string>();
  private readonly due = new Set<string>();
  private readonly toAsk = new Set<string>();
  private readonly waiters = new Map<string, ((verdict: Verdict) => void)[]>();
  private readonly settings: OfferSettings;
  private readonly crashPoint: CrashPoint;
  private readonly inFlight = new Set<Promise<void>>();
  private stopTicking: (() => void) | undefined;
  private pumping = false;
  private publishing = 0;
  private asking = false;
  private askNotBefore = 0;
  /** For the health report. */
  readonly counters = { published: 0, publishFailed: 0, asked: 0, askFailed: 0, receipts: 0 };
  lastError = '';

  constructor(private readonly options: CommitOffersOptions) {
    this.settings = { ...OFFER_DEFAULTS, ...options.settings };
    this.crashPoint = options.crashPoint ?? noCrash;
  }

  /** Begins to publish; adds what the volumes' journals hold without a verdict. */
  start(volumes: Iterable<Volume>): void {
    for (const volume of volumes) {
      for (const [fragmentId, state] of volume.ledger.all()) {
        if (state.phase === 'SEALED') this.enter(fragmentId, volume, state);
      }
    }
    const every = this.options.every ?? machineTimer;
    this.stopTicking = every(this.options.settings?.tickMs ?? TICK_MS, () => this.tick());
    this.pump();
  }

  /** Publishes no more. Resolves when what was under way has ended. The journals stay open. */
  async stop(): Promise<void> {
    this.stopTicking?.();
    this.stopTicking = undefined;
    this.due.clear();
    await Promise.all(this.inFlight);
  }

  /** Fragments without a verdict. */
  get open(): number {
    return this.entries.size;
  }

  /** Adds a fragment that the volume's journal knows as sealed, with its index if that is small. */
  add(fragmentId: string, volume: Volume, smallIndex?: Buffer): void {
    const state = volume.ledger.find(fragmentId);
    if (state?.phase !== 'SEALED') return;
    this.enter(fragmentId, volume, state);
    if (smallIndex && this.entries.size <= INDEXES_KEPT_MAX) {
      this.indexes.set(fragmentId, smallIndex.toString('base64'));
    }
    this.pump();
  }

  /** Fragments of a copy that have no verdict. */
  openOf(copy: { readonly imageId: string; readonly copy: number }): string[] {
    return [...this.entries.values()]
      .filter(({ commit }) => commit.imageId === copy.imageId && commit.copy === copy.copy)
      .map(({ commit }) => commit.fragmentId);
  }

  /**
   * Offers fragments past the broker, whatever verdict the journal has on them; the answers go the way
   * of receipts. @returns how many were offered. Throws when the catalog does not answer.
   */
  async offerDirectly(fragmentIds: readonly string[]): Promise<number> {
    const commits = fragmentIds.flatMap((fragmentId) => {
      const volume = this.options.places.volumeOf(fragmentId);
      const state = volume?.ledger.find(fragmentId);
      const isOffered = state?.phase === 'SEALED' || state?.phase === 'JUDGED';
      return volume && isOffered ? [commitOf(volume, state)] : [];
    });
    for (let at = 0; at < commits.length; at += INQUIRY_FRAGMENTS_MAX) {
      const page = commits.slice(at, at + INQUIRY_FRAGMENTS_MAX);
      await this.receive(await this.options.inquiry.fragmentOffer(page), 'answer');
    }
    return commits.length;
  }

  /** Its deletion was confirmed: there is nothing to offer any more. */
  forget(fragmentId: string): void {
    this.entries.delete(fragmentId);
    this.indexes.delete(fragmentId);
    this.due.delete(fragmentId);
    this.toAsk.delete(fragmentId);
  }

  /** The broker can be reached again. */
  onReconnect(): void {
    for (const fragmentId of this.entries.keys()) this.step(fragmentId, 'reconnected');
    this.pump();
  }

  /**
   * Takes receipts from the stream. When it resolves their verdicts are durable and the messages may be
   * acknowledged. Throws if a journal cannot be written: then they must come again.
   */
  async onReceipts(receipts: readonly FragmentReceipt[]): Promise<void> {
    this.crashPoint('receipt-arrived');
    await this.receive(receipts, 'stream');
  }

  /**
   * Resolves with the verdict as soon as it is in the journal. UNKNOWN_IMAGE is given when the
   * catalog has said so several times: the fragment is still offered.
   */
  verdict(fragmentId: string): Promise<Verdict> {
    const state = this.options.places.volumeOf(fragmentId)?.ledger.find(fragmentId);
    if (state?.phase === 'JUDGED') return Promise.resolve(state.verdict);
    return new Promise((resolve) => {
      this.waiters.set(fragmentId, [...(this.waiters.get(fragmentId) ?? []), resolve]);
    });
  }

  private enter(
    fragmentId: string,
    volume: Volume,
    state: Extract<FragmentState, { phase: 'SEALED' }>,
  ): void {
    this.entries.set(fragmentId, { offer: NEW_OFFER, commit: commitOf(volume, state) });
    this.due.add(fragmentId);
  }

  /** In the order in which they came, where several are about one fragment. */
  private async receive(
    receipts: readonly FragmentReceipt[],
    origin: ReceiptOrigin,
  ): Promise<void> {
    const recorded = new Map<Volume, FragmentReceipt[]>();
    const seen = new Set<string>();
    const later: FragmentReceipt[] = [];
    for (const receipt of receipts) {
      if (seen.has(receipt.fragmentId)) later.push(receipt);
      else this.sort(receipt, origin, recorded);
      seen.add(receipt.fragmentId);
    }
    await Promise.all(Array.from(recorded, ([volume, news]) => this.record(volume, news)));
    if (later.length > 0) await this.receive(later, origin);
  }

  /** What a receipt means; `recorded` gets it when its verdict belongs in the journal. */
  private sort(
    receipt: FragmentReceipt,
    origin: ReceiptOrigin,
    recorded: Map<Volume, FragmentReceipt[]>,
  ): void {
    const { fragmentId } = receipt;
    this.counters.receipts += 1;
    const volume = this.options.places.volumeOf(fragmentId);
    if (!volume) return;
    const decision = decideReceipt(volume.ledger.find(fragmentId), receipt, origin);
    switch (decision) {
      case 'ignore':
        return;
      case 'wait':
        this.onUnknownImage(fragmentId);
        return;
      case 'ask':
        this.toAsk.add(fragmentId);
        return;
      case 'record': {
        const news = recorded.get(volume);
        if (news) news.push(receipt);
        else recorded.set(volume, [receipt]);
        return;
      }
      default:
        decision satisfies never;
    }
  }

  private async record(volume: Volume, receipts: readonly FragmentReceipt[]): Promise<void> {
    await volume.ledger.verdicts(receipts);
    this.crashPoint('verdict-journalled');
    for (const { fragmentId, verdict } of receipts) {
      if (verdict === 'UNKNOWN_IMAGE') this.add(fragmentId, volume);
      else this.settle(fragmentId, verdict);
    }
  }

  private settle(fragmentId: string, verdict: Verdict): void {
    this.forget(fragmentId);
    this.tell(fragmentId, verdict);
  }

  private onUnknownImage(fragmentId: string): void {
    this.step(fragmentId, 'unknownImage');
    const entry = this.entries.get(fragmentId);
    if (entry && entry.offer.unknownImage >= UNKNOWN_IMAGE_MAX) {
      this.tell(fragmentId, 'UNKNOWN_IMAGE');
    }
  }

  private tell(fragmentId: string, verdict: Verdict): void {
    const waiters = this.waiters.get(fragmentId) ?? [];
    this.waiters.delete(fragmentId);
    for (const waiter of waiters) waiter(verdict);
  }

  private tick(): void {
    for (const fragmentId of this.entries.keys()) this.step(fragmentId, 'tick');
    this.pump();
    const mayAsk = !this.asking && this.now() >= this.askNotBefore;
    if (this.toAsk.size > 0 && mayAsk) this.track(this.ask());
  }

  private step(fragmentId: string, input: OfferInput): void {
    const entry = this.entries.get(fragmentId);
    if (!entry) return;
    const context = { now: this.now(), chance: this.options.chance(), settings: this.settings };
    const { offer, ask } = stepOffer(entry.offer, input, context);
    entry.offer = offer;
    if (offer.phase === 'due') this.due.add(fragmentId);
    else this.due.delete(fragmentId);
    if (ask) this.toAsk.add(fragmentId);
  }

  /** After this turn, so that what becomes due together travels together. */
  private pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    queueMicrotask(() => {
      this.pumping = false;
      this.publishDue();
    });
  }

  private publishDue(): void {
    while (this.stopTicking && this.due.size > 0 && this.publishing < PUBLISHES_IN_FLIGHT_MAX) {
      const commits = this.takeDue();
      this.publishing += 1;
      this.track(this.publish(commits).finally(() => (this.publishing -= 1)));
    }
  }

  private takeDue(): FragmentCommit[] {
    const commits: FragmentCommit[] = [];
    for (const fragmentId of this.due) {
      if (commits.length === COMMITS_PER_MESSAGE_MAX) break;
      commits.push(this.entries.get(fragmentId)!.commit);
      this.step(fragmentId, 'taken');
    }
    const [only, another] = commits;
    const index = only && !another && this.indexes.get(only.fragmentId);
    return index ? [{ ...only, index }] : commits;
  }

  private async publish(commits: readonly FragmentCommit[]): Promise<void> {
    try {
      await this.options.publisher.publish(commits);
      this.crashPoint('commit-published');
      this.counters.published += commits.length;
      for (const { fragmentId } of commits) this.step(fragmentId, 'published');
    } catch (error) {
      this.counters.publishFailed += commits.length;
      this.lastError = messageOf(error);
      for (const { fragmentId } of commits) this.step(fragmentId, 'publishFailed');
    }
  }

  private async ask(): Promise<void> {
    this.asking = true;
    const fragmentIds = [...this.toAsk].slice(0, INQUIRY_FRAGMENTS_MAX);
    for (const fragmentId of fragmentIds) this.toAsk.delete(fragmentId);
    try {
      this.counters.asked += 1;
      const { receipts, unknown } = await this.options.inquiry.fragmentStatus(fragmentIds);
      await this.receive(receipts, 'answer');
      await this.offerDirectly(unknown);
    } catch (error) {
      this.counters.askFailed += 1;
      this.lastError = messageOf(error);
      this.askNotBefore = this.now() + ASK_AGAIN_AFTER_MS;
      for (const fragmentId of fragmentIds) this.toAsk.add(fragmentId);
    } finally {
      this.asking = false;
    }
  }

  private now(): number {
    return this.options.clock.now().getTime();
  }

  private track(work: Promise<void>): void {
    this.inFlight.add(work);
    void work.finally(() => {
      this.inFlight.delete(work);
      this.pump();
    });
  }
}

function machineTimer(ms: number, work: () => void): () => void {
  const timer = setInterval(work, ms);
  return () => clearInterval(timer);
}
