import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { catalogReconcile, ReconcileFinding } from '#contracts/catalog/care.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import {
  mediaAdopt,
  mediaInventory,
  mediaOfferAgain,
  mediaReleaseOrphans,
  mediaTakeBack,
  type InventoryEntry,
  type OrphanDoubt,
} from '#contracts/media.js';
import { within } from '#service/within.js';
import { FragmentChecks } from '../deletion/fragment-checks.js';
import { provesRegression, reconcileFragment, type KnownRow } from '../domain/reconcile.js';
import { KNOWN_ROWS_MAX, KnownRows } from '../persistence/care/known-rows.js';
import { MediaVolumes } from '../persistence/care/media-volumes.js';
import { CatalogEpoch } from '../persistence/catalog-epoch.js';
import { MediaServers } from './media-servers.js';

/** What came of comparing one media server with the catalog. */
export interface Comparison {
  readonly checked: number;
  readonly findings: number;
  /** Its volumes that were not there. */
  readonly away: readonly string[];
  /** Fragments that the catalog shows as good, that its media server has not, and that were not checked. */
  readonly inDoubt: number;
}

/** How long a page waits for fragments that are read whole. What was begun by then goes on behind. */
const PAGE_CHECK_MS = 10_000;
/** How long all pages of a comparison wait for DAMAGED fragments: a disk that fails has other things to do as well. */
const AGAIN_MS = 300_000;
/** A timer may be early by so much. */
const TIMER_MS = 2;

type Page = RequestOf<typeof catalogReconcile>;
interface ComparedPage extends ResponseOf<typeof catalogReconcile> {
  readonly orphans: readonly OrphanDoubt[];
  readonly inDoubt: number;
}
/** How long may still be waited for DAMAGED fragments. */
interface Patience {
  ms: number;
}
type Action = ReconcileFinding['action'];

/**
 * Compares the catalog with what a media server's journals and volumes hold, a page of fragments at a
 * time, and settles each difference. It deletes nothing: what it may do is in `reconcileFragment`.
 */
@Injectable()
export class Reconciler {
  private readonly logger = new Logger('reconcile');

  constructor(
    private readonly database: DataSource,
    private readonly media: MediaServers,
    private readonly epoch: CatalogEpoch,
    private readonly checks: FragmentChecks,
  ) {}

  /** One page. Throws `Unavailable` where the media server is away: nothing is known then. */
  async page(
    { mediaId, after, dryRun }: Page,
    again: Patience = { ms: PAGE_CHECK_MS },
  ): Promise<ComparedPage> {
    const rows = new KnownRows(this.database.manager);
    // First the time, then the server, then the rows: what is committed meanwhile is no difference.
    const before = await rows.now();
    const inventory = await this.media.ask(mediaInventory, mediaId, { after });
    const volumes = new MediaVolumes(this.database.manager);
    const away = await volumes.away(mediaId, inventory.volumes);
    const known = await rows.between({ mediaId, after, through: inventory.next, before });
    const isCut = known.length === KNOWN_ROWS_MAX;
    const next = isCut ? known.at(-1)!.fragmentId : inventory.next;
    const entries = inventory.entries.filter(
      ({ fragmentId }) => next === null || fragmentId <= next,
    );
    const pairs = await this.pairs(known, entries, rows);
    const findings = pairs.flatMap((pair) => findingOf(pair, { isVolumeAway: away.length > 0 }));
    let left = { unchecked: 0, inDoubt: 0 };
    if (!dryRun) {
      await volumes.see(mediaId, inventory.volumes);
      await volumes.locate(mediaId, inventory.places ?? []);
      await this.renewEpochIfProven(pairs, mediaId);
      left = await this.settle(mediaId, findings, { rows, again });
    }
    const { orphans = [] } = inventory;
    return { checked: pairs.length, findings, next, away, orphans, ...left };
  }

  /** All pages of one server, settled. */
  async server(mediaId: string): Promise<Comparison> {
    const total = { checked: 0, findings: 0, inDoubt: 0 };
    const again = { ms: AGAIN_MS };
    // Of any page: what was away for a while was not compared.
    const away = new Set<string>();
    // Of the first page: a doubt that began later is not settled by what was compared before.
    let doubts: readonly OrphanDoubt[] | undefined;
    for (let after: string | undefined; ;) {
      const page = await this.page({ mediaId, after, dryRun: false }, again);
      total.checked += page.checked;
      total.findings += page.findings.length;
      total.inDoubt += page.inDoubt;
      doubts ??= page.orphans;
      for (const volumeId of page.away) away.add(volumeId);
      this.tell(mediaId, page.findings);
      if (page.next === null) {
        const hasAll = total.findings === 0 && away.size === 0;
        if (hasAll && doubts.length > 0) {
          await this.media.ask(mediaReleaseOrphans, mediaId, { doubts: [...doubts] });
        }
        return { ...total, away: [...away] };
      }
      after = page.next;
    }
  }

  /** One line for each kind of difference, however many fragments differ so. */
  private tell(mediaId: string, findings: readonly ReconcileFinding[]): void {
    const kinds = new Map<string, string[]>();
    for (const { fragmentId, finding, action } of findings) {
      const kind = `${finding}; ${action}`;
      kinds.set(kind, [...(kinds.get(kind) ?? []), fragmentId]);
    }
    for (const [kind, ids] of kinds) {
      const more = ids.length > 1 ? ` and ${ids.length - 1} more` : '';
      this.logger.warn(`${mediaId}, fragment ${ids[0]}${more}: ${kind}`);
    }
  }

  /** A fragment may have moved to another server's books since; then its row is not of this page. */
  private async pairs(
    known: readonly KnownRow[],
    entries: readonly InventoryEntry[],
    rows: KnownRows,
  ): Promise<Pair[]> {
    const byId = new Map(known.map((row) => [row.fragmentId, row]));
    const seen = new Set(entries.map(({ fragmentId }) => fragmentId));
    const fresh = entries.filter(({ fragmentId }) => !byId.has(fragmentId));
    const late = await rows.byIds(fresh.map(({ fragmentId }) => fragmentId));
    return [
      ...entries.map((entry) => ({
        row: byId.get(entry.fragmentId) ?? late.get(entry.fragmentId),
        entry,
      })),
      ...known.filter(({ fragmentId }) => !seen.has(fragmentId)).map((row) => ({ row })),
    ];
  }

  private async renewEpochIfProven(pairs: readonly Pair[], mediaId: string): Promise<void> {
    const epoch = await this.epoch.get();
    if (!pairs.some(({ row, entry }) => provesRegression(row, entry, epoch))) return;
    this.logger.error(`${mediaId} proves that the catalog went back in time: it gets a new epoch`);
    await this.epoch.renew(await this.epoch.next());
    await this.epoch.refresh();
  }

  /** @returns how many fragments were not checked, and how many of them are in doubt: see `Comparison` */
  private async settle(
    mediaId: string,
    findings: readonly ReconcileFinding[],
    { rows, again }: { readonly rows: KnownRows; readonly again: Patience },
  ): Promise<Pick<ComparedPage, 'unchecked' | 'inDoubt'>> {
    const of = (...actions: Action[]) =>
      findings.filter(({ action }) => actions.includes(action)).map((each) => each.fragmentId);
    // First of all: what is damaged holds no number, and one that is offered again may have that very one.
    const inDoubt = await this.checkAll(mediaId, of('mark-damaged'));
    await this.media.askAbout(mediaOfferAgain, mediaId, of('offer-again'));
    await this.media.askAbout(mediaAdopt, mediaId, of('adopt'));
    await this.media.askAbout(mediaTakeBack, mediaId, of('take-back'));
    await rows.sendGrantsAgain(of('grant-again'));
    await rows.reportDeleted(of('report-deleted'));
    const left = await this.checkAgain(mediaId, of('check-again'), again);
    return { unchecked: inDoubt + left, inDoubt };
  }

  /** Only what the media server finds when it reads them counts. @returns how many were not checked in time */
  private async checkAll(mediaId: string, fragmentIds: readonly string[]): Promise<number> {
    const checks = fragmentIds.map((fragmentId) =>
      within(PAGE_CHECK_MS, this.isChecked(fragmentId, mediaId)),
    );
    return (await Promise.all(checks)).filter((isChecked) => !isChecked).length;
  }

  /**
   * One after the other, as long as there is patience, of which it takes what it waited; those that were read
   * lately are left out. @returns how many were not checked
   */
  private async checkAgain(
    mediaId: string,
    fragmentIds: readonly string[],
    again: Patience,
  ): Promise<number> {
    const begunMs = performance.now();
    const msMax = Math.min(again.ms, PAGE_CHECK_MS);
    let unchecked = 0;
    for (const fragmentId of fragmentIds) {
      if (this.checks.wasReadLately(fragmentId)) continue;
      const restMs = msMax - (performance.now() - begunMs);
      // What is less than a timer is worth is no time to begin another one in.
      const isChecked =
        restMs > TIMER_MS && (await within(restMs, this.isChecked(fragmentId, mediaId)));
      if (!isChecked) unchecked += 1;
    }
    again.ms -= performance.now() - begunMs;
    return unchecked;
  }

  /** False where it could not be checked. */
  private async isChecked(fragmentId: string, mediaId: string): Promise<boolean> {
    return this.checks.check(fragmentId, mediaId).then(
      () => true,
      () => false,
    );
  }
}

interface Pair {
  readonly row?: KnownRow | undefined;
  readonly entry?: InventoryEntry;
}

function findingOf(
  { row, entry }: Pair,
  options: { readonly isVolumeAway: boolean },
): ReconcileFinding[] {
  const settlement = reconcileFragment(row, entry, options);
  if (!settlement) return [];
  const { fragmentId, imageId, copy, number } = (row ?? entry)!;
  return [{ fragmentId, imageId, copy, number, ...settlement }];
}
