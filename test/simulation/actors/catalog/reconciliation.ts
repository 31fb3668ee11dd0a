import { catalogReconcile, type ReconcileFinding } from '#contracts/catalog/care.js';
import { fragmentSuspect } from '#contracts/catalog/copy.js';
import { fragmentDamaged, type FragmentCommit } from '#contracts/fragment.js';
import {
  mediaAdopt,
  mediaInventory,
  mediaOfferAgain,
  mediaTakeBack,
  mediaVerifyFragment,
  type BytesState,
  type InventoryEntry,
} from '#contracts/media.js';
import { PermanentError } from '#kernel/errors.js';
import { decideDamage } from '../../../../apps/catalog/src/domain/damage.js';
import {
  provesRegression,
  reconcileFragment,
  type KnownRow,
} from '../../../../apps/catalog/src/domain/reconcile.js';
import type { Transaction } from '../../parts/database.js';
import { isOutage } from '../network.js';
import {
  COPY,
  copyKey,
  FRAGMENT,
  IMAGE,
  isLive,
  REFUSED,
  slotOf,
  type FragmentRow,
  type RefusedRow,
} from '../tables.js';
import type { CatalogContext } from './catalog-context.js';

type Action = ReconcileFinding['action'];

interface Pair {
  readonly row?: KnownRow | undefined;
  readonly entry?: InventoryEntry | undefined;
}

/** Compares the catalog with a media server, and settles each difference by the real rules. */
export class Reconciliation {
  constructor(private readonly program: CatalogContext) {}

  serve(): void {
    const { link } = this.program;
    link.serve(catalogReconcile, async ({ mediaId }) => {
      const findings = await this.server(mediaId);
      return { checked: 0, findings, next: null, away: [], unchecked: 0 };
    });
    link.serve(fragmentSuspect, async ({ fragmentId }) => {
      await this.suspect(fragmentId);
      return { state: 'ACTIVE' as const };
    });
  }

  /** Throws where the media server is away: nothing is known then. */
  async server(mediaId: string): Promise<ReconcileFinding[]> {
    const { link } = this.program;
    const before = await this.program.transaction(async () => this.program.life.world.now);
    const { entries } = await link.request(mediaInventory, {}, mediaId);
    const known = await this.program.transaction((unit) =>
      unit.run('reads what is known', (db) => knownRows(db, mediaId, before)),
    );
    const pairs = pairsOf(known, entries);
    const findings = pairs.flatMap(findingOf);
    await this.renewEpochIfProven(pairs);
    await this.settle(mediaId, findings);
    for (const { fragmentId, finding, action } of findings) {
      this.program.life.world.meet(`finding ${action}`);
      this.program.life.world.note(() => `${mediaId}, ${fragmentId}: ${finding}; ${action}`);
    }
    return findings;
  }

  private async renewEpochIfProven(pairs: readonly Pair[]): Promise<void> {
    const epoch = await this.program.epochNow();
    if (!pairs.some(({ row, entry }) => provesRegression(row, entry, epoch))) return;
    this.program.life.world.meet('a proof that the catalog went back');
    await this.program.renewEpoch();
  }

  private async settle(mediaId: string, findings: readonly ReconcileFinding[]): Promise<void> {
    const { link } = this.program;
    const of = (...actions: Action[]) =>
      findings.filter(({ action }) => actions.includes(action)).map((each) => each.fragmentId);
    const outage = await this.suspectAll(of('mark-damaged'));
    const [again, adopted, back] = [of('offer-again'), of('adopt'), of('take-back')];
    if (again.length > 0) await link.request(mediaOfferAgain, { fragmentIds: again }, mediaId);
    if (adopted.length > 0) await link.request(mediaAdopt, { fragmentIds: adopted }, mediaId);
    if (back.length > 0) await link.request(mediaTakeBack, { fragmentIds: back }, mediaId);
    const granted = of('grant-again');
    const gone = of('report-deleted');
    if (granted.length + gone.length > 0) {
      await this.program.transaction((unit) =>
        unit.run('settles grants', async (db) => {
          for (const id of granted) await regrant(db, id);
          for (const id of gone) await noteGone(db, id);
        }),
      );
    }
    // What could not be checked was not compared.
    if (outage) throw outage;
  }

  /** Returns the last outage that kept one of them from being checked. */
  private async suspectAll(fragmentIds: readonly string[]): Promise<unknown> {
    let outage: unknown;
    for (const fragmentId of fragmentIds) {
      try {
        await this.suspect(fragmentId);
      } catch (error) {
        if (isOutage(error)) outage = error;
        else if (!(error instanceof PermanentError)) throw error;
      }
    }
    return outage;
  }

  /** Only what its own media server finds when it reads the fragment counts. */
  private async suspect(fragmentId: string): Promise<void> {
    const found = await this.program.transaction((unit) =>
      unit.run('finds a suspect', (db) => db.read(FRAGMENT, fragmentId)),
    );
    if (!found) throw new PermanentError(227, 'there is no such fragment');
    const { state, mediaId } = found as FragmentRow;
    if (state === 'DELETING' || state === 'DELETED') return;
    const asked = { fragmentId };
    const { bytes } = await this.program.link.request(mediaVerifyFragment, asked, mediaId);
    if (bytes !== null) await this.found(fragmentId, bytes);
  }

  private found(fragmentId: string, bytes: BytesState): Promise<void> {
    return this.program.transaction(async (unit) => {
      const damaged = await unit.run('judges a suspect', (db) =>
        judgeSuspect(db, fragmentId, bytes),
      );
      if (!damaged) return;
      const { imageId, copy, number, mediaId } = damaged;
      const what = { fragmentId, imageId, copy, number, mediaId, reason: bytes };
      unit.send(fragmentDamaged, [fragmentId], what);
    });
  }
}

async function judgeSuspect(
  db: Transaction,
  fragmentId: string,
  bytes: BytesState,
): Promise<FragmentRow | undefined> {
  const known = (await db.read(FRAGMENT, fragmentId)) as FragmentRow | undefined;
  if (!known) return undefined;
  await db.lock(IMAGE, known.imageId, 'update');
  await db.lock(COPY, copyKey(known), 'update');
  const row = (await db.lock(FRAGMENT, fragmentId, 'update')) as FragmentRow;
  const [holder] = await db.select(FRAGMENT, { slot: slotOf(row) });
  const isReplaced = holder !== undefined && holder.key !== fragmentId;
  const to = decideDamage({ ...row, isReplaced }, bytes);
  if (!to) return undefined;
  await db.update(FRAGMENT, fragmentId, { ...row, ...to, slot: isLive(to) ? slotOf(row) : null });
  return to.state === 'DAMAGED' ? row : undefined;
}

/** What of a media server was committed or refused before that moment. */
async function knownRows(db: Transaction, mediaId: string, before: number): Promise<KnownRow[]> {
  const fragments = await db.select(FRAGMENT, { mediaId });
  const refused = (await db.select(REFUSED, {})).map(({ row }) => row as RefusedRow);
  const all = (await db.select(FRAGMENT, {})).map(({ row }) => row as FragmentRow);
  return [
    ...fragments
      .map(({ row }) => row as FragmentRow)
      .filter(({ committedAt }) => committedAt < before),
    ...refused
      .filter(({ offer, refusedAt }) => offer.mediaId === mediaId && refusedAt < before)
      .map(({ offer, verdict }): KnownRow => {
        const isWanted = verdict === 'SUPERSEDED' && isMissed(offer, all);
        return { ...offer, state: isWanted ? 'MISSED' : 'REFUSED' };
      }),
  ];
}

/** Whether what held its number, with the same bytes, is damaged, and nothing holds it. */
function isMissed(offer: FragmentCommit, all: readonly FragmentRow[]): boolean {
  const others = all.filter((each) => slotOf(each) === slotOf(offer));
  const isSame = ({ digest, storedBytes }: FragmentRow) =>
    digest === offer.digest && storedBytes === offer.storedBytes;
  const isWanted = ({ state, deletableAt, isGivenUp }: FragmentRow) =>
    state === 'DAMAGED' && deletableAt === null && !isGivenUp;
  return (
    !others.some((each) => each.slot !== null) &&
    others.some((each) => isSame(each) && isWanted(each))
  );
}

function pairsOf(known: readonly KnownRow[], entries: readonly InventoryEntry[]): Pair[] {
  const byId = new Map(known.map((row) => [row.fragmentId, row]));
  const seen = new Set(entries.map(({ fragmentId }) => fragmentId));
  return [
    ...entries.map((entry) => ({ row: byId.get(entry.fragmentId), entry })),
    ...known.filter(({ fragmentId }) => !seen.has(fragmentId)).map((row) => ({ row })),
  ];
}

function findingOf({ row, entry }: Pair): ReconcileFinding[] {
  const settlement = reconcileFragment(row, entry);
  if (!settlement) return [];
  const { fragmentId, imageId, copy, number } = (row ?? entry)!;
  return [{ fragmentId, imageId, copy, number, ...settlement }];
}

/** Has a grant go out again: of what is granted, and of what came back after its deletion. */
async function regrant(db: Transaction, fragmentId: string): Promise<void> {
  const row = (await db.lock(FRAGMENT, fragmentId, 'update')) as FragmentRow | undefined;
  if (row?.state !== 'DELETING' && row?.state !== 'DELETED') return;
  await db.update(FRAGMENT, fragmentId, { ...row, state: 'DELETING', grantSentAt: 0 });
}

async function noteGone(db: Transaction, fragmentId: string): Promise<void> {
  const row = (await db.lock(FRAGMENT, fragmentId, 'update')) as FragmentRow | undefined;
  if (row?.state === 'DELETING')
    await db.update(FRAGMENT, fragmentId, { ...row, state: 'DELETED' });
}
