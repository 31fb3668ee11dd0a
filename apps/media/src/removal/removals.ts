import type { Tombstone } from '#contracts/fragment.js';
import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { within } from '#service/within.js';
import { confirmGrant } from '#storage/confirmed-grant.js';
import type { CommitOffers } from '../commits/commit-offers.js';
import { noCrash, type CrashPoint } from '../crash-point.js';
import { nameOf } from '../domain/journal-state.js';
import { decideGrant } from '../domain/removal.js';
import type { Volume } from '../volumes/volume.js';
import type { Volumes } from '../volumes/volumes.js';

/** The two ids that a claim and a report are about. */
export type Removal = Pick<Tombstone, 'tombstoneId' | 'fragmentId'>;

/** The catalog, past the broker. Both throw `Unavailable` when nobody answers. */
export interface DeletionCatalog {
  claim(removal: Removal): Promise<{ readonly confirmed: boolean; readonly reason: string }>;
  /** Returns the fragments of which the catalog granted no such deletion (any more). */
  report(removals: readonly Removal[]): Promise<readonly string[]>;
}

export interface RemovalsOptions {
  readonly volumes: Volumes;
  readonly offers: Pick<CommitOffers, 'add' | 'forget'>;
  readonly catalog: DeletionCatalog;
  readonly log: (severity: 'info' | 'warning' | 'error', text: string) => void;
  readonly crashPoint?: CrashPoint;
}

/** Removals that one report names. */
const REPORT_MAX = 256;
/** Grants that wait for volumes that are away, of half a kilobyte each; what comes behind them is sent again by the catalog. */
const WAITING_MAX = 10_000;
/** Within the time in which grants have to be acknowledged. */
const GRANTS_MS_MAX = 45_000;

/** A removal that is not at its end. */
interface OpenRemoval {
  readonly volume: Volume;
  readonly tombstoneId: string;
}

/**
 * Carries out granted deletions. It promises:
 *
 * - Bytes leave their place only behind the catalog's yes to the claim for this very tombstone, asked
 *   just before, and with CONDEMNED in the journal; and then only into the trash.
 * - What a crash cut is finished: what is condemned is claimed again, what is removed is reported
 *   until the catalog has answered.
 * - When the catalog does not stand by a deletion any more, what was condemned is taken back.
 * - Silence and errors change nothing.
 * - A volume that is away or hangs holds up none of the others, and nothing of it counts as removed.
 */
export class Removals {
  private readonly condemned = new Map<string, OpenRemoval>();
  private readonly unreported = new Map<string, OpenRemoval>();
  /**
   * Grants for volumes that were away when they came: they are dealt with when it is back. The catalog sends those
   * again, when it has compared, that a process has forgotten or has had no room for.
   */
  private readonly waiting = new Map<string, OpenRemoval & { readonly tombstone: Tombstone }>();
  /** Volumes whose grants are being dealt with, by id. */
  private readonly dealing = new Set<string>();
  /** Fragments of a copy that are gone and that the log does not know of yet: it gets no line for each of them. */
  private readonly untold = new Map<string, number>();
  private readonly crashPoint: CrashPoint;
  /** What runs last on each volume, by the volume's id. */
  private readonly exclusive = new Map<string, Promise<unknown>>();

  constructor(private readonly options: RemovalsOptions) {
    this.crashPoint = options.crashPoint ?? noCrash;
    for (const volume of options.volumes) {
      for (const [fragmentId, state] of volume.ledger.all()) {
        if (state.phase !== 'CONDEMNED' && state.phase !== 'REMOVED') continue;
        const removal = { volume, tombstoneId: state.tombstoneId };
        if (state.phase === 'CONDEMNED') this.condemned.set(fragmentId, removal);
        else if (!state.reported) this.unreported.set(fragmentId, removal);
      }
    }
  }

  /** Removals that wait for an answer of the catalog. */
  get open(): number {
    return this.condemned.size + this.unreported.size;
  }

  /**
   * Deals with a grant, however often and late it comes. Throws `Unavailable` when the catalog could
   * not be asked: then it has to come again.
   */
  onGrant(tombstone: Tombstone): Promise<void> {
    const volume = this.options.volumes.volumeOf(tombstone.fragmentId);
    if (!volume) return this.grant(undefined, tombstone);
    return this.alone(volume, () => this.grant(volume, tombstone));
  }

  /**
   * Deals with grants, those of a volume in their order up to the first that fails. Those of a volume that is away
   * wait for it. Throws the first of what went wrong, and `Unavailable` where they take too long: then all have to
   * come again. Not to be called while it is at work, but for what has taken too long.
   */
  async onGrants(granted: readonly Tombstone[]): Promise<void> {
    const byVolume = new Map<Volume | undefined, Tombstone[]>();
    for (const tombstone of granted) {
      const volume = this.options.volumes.volumeOf(tombstone.fragmentId);
      byVolume.set(volume, [...(byVolume.get(volume) ?? []), tombstone]);
    }
    const all = Array.from(byVolume, ([volume, some]) => this.onGrantsOf(volume, some));
    const ended = await within(GRANTS_MS_MAX, Promise.allSettled(all));
    if (!ended) throw new Unavailable('a volume does not answer', STATUS.mediaOpenError);
    const failed = ended.find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /**
   * Goes on with everything of a volume that waits for the catalog, or waited for the volume, and tells the log.
   * Throws the first of what went wrong.
   */
  settle(volume: Volume): Promise<void> {
    return this.alone(volume, async () => {
      this.tell();
      const failures = await this.goOn(volume);
      await this.report(volume);
      if (failures.length > 0) throw failures[0];
    });
  }

  /** Runs something that must not meet a removal from this volume half-way. */
  alone<T>(volume: Volume, work: () => Promise<T>): Promise<T> {
    const { volumeId } = volume;
    const result = (this.exclusive.get(volumeId) ?? Promise.resolve()).then(work);
    const ended = result.catch(() => undefined);
    this.exclusive.set(volumeId, ended);
    return result;
  }

  /** What is taken back is not condemned or to be reported any more. */
  forget(fragmentId: string): void {
    this.condemned.delete(fragmentId);
    this.unreported.delete(fragmentId);
  }

  /** Whether the catalog stands by a deletion now. Throws `Unavailable` when it could not be asked. */
  async standsBy({ fragmentId, tombstoneId }: Removal): Promise<boolean> {
    return (await this.claim({ fragmentId, tombstoneId })).confirmed;
  }

  private async onGrantsOf(volume: Volume | undefined, some: readonly Tombstone[]): Promise<void> {
    const volumeId = volume?.volumeId ?? '';
    // Those of before took too long and are still dealt with: behind them there would be more and more.
    if (this.dealing.has(volumeId)) {
      throw new Unavailable('a volume does not answer', STATUS.mediaOpenError);
    }
    this.dealing.add(volumeId);
    try {
      await this.dealWith(volume, some);
    } finally {
      this.dealing.delete(volumeId);
    }
  }

  private async dealWith(volume: Volume | undefined, some: readonly Tombstone[]): Promise<void> {
    // What hangs there already is not waited for.
    const isThere = !volume || (await volume.answers());
    for (const tombstone of some) {
      const { fragmentId, tombstoneId } = tombstone;
      if (isThere) await this.onGrant(tombstone);
      else if (this.waiting.size < WAITING_MAX) {
        this.waiting.set(fragmentId, { volume, tombstoneId, tombstone });
      }
    }
  }

  /** Nothing while the volume is away: whoever looks at volumes tells of that. Gives what went wrong. */
  private async goOn(volume: Volume): Promise<unknown[]> {
    const failures: unknown[] = [];
    const condemned = ofVolume(volume, this.condemned);
    const waiting = ofVolume(volume, this.waiting);
    if (condemned.length + waiting.length === 0 || !(await volume.answers())) return failures;
    for (const [fragmentId, { tombstoneId }] of condemned) {
      // A catalog that is away is not asked for each of them.
      const answer = await this.claim({ fragmentId, tombstoneId });
      try {
        await this.follow(volume, { fragmentId, tombstoneId }, answer);
      } catch (error) {
        failures.push(error);
      }
    }
    for (const [fragmentId, { tombstone }] of waiting) {
      try {
        await this.grant(volume, tombstone);
      } catch (error) {
        if (error instanceof Unavailable) throw error;
        failures.push(error);
      }
      this.waiting.delete(fragmentId);
    }
    return failures;
  }

  private async grant(volume: Volume | undefined, tombstone: Tombstone): Promise<void> {
    const { fragmentId, tombstoneId } = tombstone;
    const decision = decideGrant(volume?.ledger.find(fragmentId), tombstone);
    switch (decision.type) {
      case 'refuse': {
        const what = `Deletion ${tombstoneId} of fragment ${fragmentId} was granted and refused`;
        this.options.log('error', `${what}: ${decision.reason}. Nothing was touched.`);
        return;
      }
      case 'report':
        this.unreported.set(fragmentId, { volume: volume!, tombstoneId });
        return this.report(volume!);
      case 'claim':
        await this.follow(volume!, tombstone, await this.claim({ fragmentId, tombstoneId }));
        return this.report(volume!);
      default:
        return decision satisfies never;
    }
  }

  /** Does what the catalog has just answered to the claim. */
  private async follow(
    volume: Volume,
    removal: Removal,
    answer: { readonly confirmed: boolean; readonly reason: string },
  ): Promise<void> {
    const { fragmentId, tombstoneId } = removal;
    const state = volume.ledger.find(fragmentId);
    if (!state || state.phase === 'INTENT' || state.phase === 'REMOVED') return;
    await volume.requireAnswer();
    const grant = confirmGrant(removal, answer);
    if (!grant) return this.refused(volume, removal, answer.reason);
    const { ledger, store } = volume;
    await ledger.condemned(fragmentId, tombstoneId);
    this.condemned.set(fragmentId, { volume, tombstoneId });
    this.options.offers.forget(fragmentId);
    this.crashPoint('condemned-journalled');
    await store.remove(grant, nameOf(state));
    this.crashPoint('trash-moved');
    // Of a volume that is away nothing was removed, and that is no error of its store.
    await volume.requireAnswer();
    await ledger.removed(fragmentId, tombstoneId);
    this.condemned.delete(fragmentId);
    this.unreported.set(fragmentId, { volume, tombstoneId });
    this.crashPoint('removal-journalled');
    const { imageId, copy: number } = nameOf(state);
    const copy = `copy ${number} of image ${imageId}`;
    this.untold.set(copy, (this.untold.get(copy) ?? 0) + 1);
  }

  private tell(): void {
    for (const [copy, count] of this.untold) {
      const what = count === 1 ? '1 fragment' : `${count} fragments`;
      this.options.log('info', `Deleted ${what} of ${copy}, as the catalog granted.`);
    }
    this.untold.clear();
  }

  /** A claim that the catalog cannot make sense of is no yes. */
  private async claim(removal: Removal): Promise<{ confirmed: boolean; reason: string }> {
    try {
      return await this.options.catalog.claim(removal);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      return { confirmed: false, reason: messageOf(error) };
    }
  }

  private async refused(volume: Volume, removal: Removal, reason: string): Promise<void> {
    const { fragmentId, tombstoneId } = removal;
    const what = `The catalog does not confirm deletion ${tombstoneId} of fragment ${fragmentId}`;
    this.options.log('warning', `${what}: ${reason}. It stays.`);
    const state = volume.ledger.find(fragmentId);
    if (state?.phase !== 'CONDEMNED' || state.tombstoneId !== tombstoneId) return;
    await volume.ledger.takenBack(fragmentId);
    this.forget(fragmentId);
    await volume.store.takeBack(tombstoneId, nameOf(state));
    this.options.offers.add(fragmentId, volume);
  }

  /**
   * What the catalog does not stand by stays unreported, and so in the trash: it went back in time,
   * and a reconciliation takes the fragment back or has its deletion granted again.
   */
  private async report(volume: Volume): Promise<void> {
    const all = ofVolume(volume, this.unreported);
    for (let from = 0; from < all.length; from += REPORT_MAX) {
      const batch = all.slice(from, from + REPORT_MAX);
      const refused = await this.options.catalog.report(
        batch.map(([fragmentId, { tombstoneId }]) => ({ fragmentId, tombstoneId })),
      );
      this.crashPoint('removal-reported');
      for (const [fragmentId] of batch) {
        if (refused.includes(fragmentId)) continue;
        if (volume.ledger.find(fragmentId)) await volume.ledger.reported(fragmentId);
        this.unreported.delete(fragmentId);
      }
    }
  }
}

function ofVolume<T extends OpenRemoval>(
  { volumeId }: Volume,
  all: ReadonlyMap<string, T>,
): [fragmentId: string, removal: T][] {
  return [...all].filter(([, { volume }]) => volume.volumeId === volumeId);
}
