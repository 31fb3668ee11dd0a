import type { Tombstone } from '#contracts/fragment.js';
import { messageOf, PermanentError } from '#kernel/errors.js';
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

/**
 * Carries out granted deletions. It promises:
 *
 * - Bytes leave their place only behind the catalog's yes to the claim for this very tombstone, asked
 *   just before, and with CONDEMNED in the journal; and then only into the trash.
 * - What a crash cut is finished: what is condemned is claimed again, what is removed is reported
 *   until the catalog has answered.
 * - When the catalog does not stand by a deletion any more, what was condemned is taken back.
 * - Silence and errors change nothing.
 */
export class Removals {
  private readonly condemned = new Map<string, string>();
  private readonly unreported = new Map<string, string>();
  /** Fragments of a copy that are gone and that the log does not know of yet: it gets no line for each of them. */
  private readonly untold = new Map<string, number>();
  private readonly crashPoint: CrashPoint;
  private exclusive: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: RemovalsOptions) {
    this.crashPoint = options.crashPoint ?? noCrash;
    for (const { ledger } of options.volumes) {
      for (const [fragmentId, state] of ledger.all()) {
        if (state.phase === 'CONDEMNED') this.condemned.set(fragmentId, state.tombstoneId);
        if (state.phase === 'REMOVED' && !state.reported) {
          this.unreported.set(fragmentId, state.tombstoneId);
        }
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
    return this.alone(() => this.grant(tombstone));
  }

  /** Goes on with everything that waits for the catalog, and tells the log. Throws the first of what went wrong. */
  settle(): Promise<void> {
    return this.alone(async () => {
      this.tell();
      const failures: unknown[] = [];
      for (const [fragmentId, tombstoneId] of this.condemned) {
        const volume = this.options.volumes.volumeOf(fragmentId)!;
        // A catalog that is away is not asked for each of them.
        const answer = await this.claim({ fragmentId, tombstoneId });
        try {
          await this.follow(volume, { fragmentId, tombstoneId }, answer);
        } catch (error) {
          failures.push(error);
        }
      }
      await this.report();
      if (failures.length > 0) throw failures[0];
    });
  }

  /** Runs something that must not meet a removal half-way. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.exclusive.then(work);
    this.exclusive = result.catch(() => undefined);
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

  private async grant(tombstone: Tombstone): Promise<void> {
    const { fragmentId, tombstoneId } = tombstone;
    const volume = this.options.volumes.volumeOf(fragmentId);
    const decision = decideGrant(volume?.ledger.find(fragmentId), tombstone);
    switch (decision.type) {
      case 'refuse': {
        const what = `Deletion ${tombstoneId} of fragment ${fragmentId} was granted and refused`;
        this.options.log('error', `${what}: ${decision.reason}. Nothing was touched.`);
        return;
      }
      case 'report':
        this.unreported.set(fragmentId, tombstoneId);
        return this.report();
      case 'claim':
        await this.follow(volume!, tombstone, await this.claim({ fragmentId, tombstoneId }));
        return this.report();
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
    const grant = confirmGrant(removal, answer);
    if (!grant) return this.refused(volume, removal, answer.reason);
    const { ledger, store } = volume;
    await ledger.condemned(fragmentId, tombstoneId);
    this.condemned.set(fragmentId, tombstoneId);
    this.options.offers.forget(fragmentId);
    this.crashPoint('condemned-journalled');
    await store.remove(grant, nameOf(state));
    this.crashPoint('trash-moved');
    await ledger.removed(fragmentId, tombstoneId);
    this.condemned.delete(fragmentId);
    this.unreported.set(fragmentId, tombstoneId);
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
  private async report(): Promise<void> {
    const all = [...this.unreported];
    for (let from = 0; from < all.length; from += REPORT_MAX) {
      const batch = all.slice(from, from + REPORT_MAX);
      const refused = await this.options.catalog.report(
        batch.map(([fragmentId, tombstoneId]) => ({ fragmentId, tombstoneId })),
      );
      this.crashPoint('removal-reported');
      for (const [fragmentId] of batch) {
        if (refused.includes(fragmentId)) continue;
        await this.options.volumes.volumeOf(fragmentId)?.ledger.reported(fragmentId);
        this.unreported.delete(fragmentId);
      }
    }
  }
}
