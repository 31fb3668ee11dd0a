import {
  deleteClaim,
  deleteReport,
  imageExpire,
  imageHold,
  imageUndelete,
} from '#contracts/catalog/expiry.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { fragmentDeleteMessage, fragmentDeleted, type Tombstone } from '#contracts/fragment.js';
import { PermanentError } from '#kernel/errors.js';
import { uuidOf } from '#kernel/ids.js';
import type { Deletable, DeletionInput } from '../../../../apps/catalog/src/domain/deletion.js';
import { isStillNeeded, type ImageFacts } from '../../../../apps/catalog/src/domain/expiry.js';
import type { Transaction } from '../../parts/database.js';
import type { Work } from '../link.js';
import {
  COPY,
  copyKey,
  FRAGMENT,
  HOLD,
  IMAGE,
  isLive,
  PIN,
  slotOf,
  type CopyRow,
  type FragmentRow,
  type ImageRow,
} from '../tables.js';
import type { CatalogContext } from './catalog-context.js';
import { factsOf, fragmentsOf } from './copy-facts.js';

/** What is undeleted is needed again for so long. */
const KEPT_AGAIN_MS = 400_000;
const LOOK_AGAIN_MS = 60_000;
const RESEND_MS = 60_000;

/** The way of fragments out of the catalog, by the real decisions, each with its rows locked. */
export class Deletions {
  constructor(private readonly program: CatalogContext) {}

  serve(): void {
    const { link } = this.program;
    const within = <T>(work: (unit: Work) => Promise<T>): Promise<T> =>
      this.program.transaction(work);
    link.serve(imageExpire, (request) => within((unit) => this.expire(unit, request)));
    link.serve(imageUndelete, (request) => within((unit) => this.undelete(unit, request)));
    link.serve(imageHold, ({ imageId, hold, release }) =>
      within((unit) =>
        unit.run('holds', async (db) => {
          await db.lock(IMAGE, imageId, 'update');
          if (release) await db.remove(HOLD, imageId);
          else await db.insert(HOLD, imageId, { imageId, hold });
          return { holds: release ? [] : [hold] };
        }),
      ),
    );
    link.serve(deleteClaim, (request) => this.claim(request));
    link.serve(deleteReport, (request) => within((unit) => this.report(unit, request)));
  }

  /** Grants what is due, and sends grants again that nobody has reported on. */
  async round(): Promise<void> {
    const { now } = this.program.life.world;
    const rows = await this.program.transaction((unit) =>
      unit.run('reads what is to go', async (db) =>
        (await db.select(FRAGMENT, {})).map(({ row }) => row as FragmentRow),
      ),
    );
    const due = rows.filter(({ deletableAt }) => deletableAt !== null && deletableAt <= now);
    for (const imageId of new Set(due.map((row) => row.imageId))) {
      await this.program.transaction((unit) => this.grantDue(unit, imageId));
    }
    const open = rows.filter(
      ({ state, grantSentAt }) => state === 'DELETING' && grantSentAt + RESEND_MS <= now,
    );
    if (open.length === 0) return;
    const openIds = open.map(({ fragmentId }) => fragmentId).sort();
    await this.program.transaction(async (unit) => {
      const epoch = await unit.run('epoch', (db) => this.program.epoch(db));
      const granted = await unit.run('reads grants', async (db) => {
        const rows: FragmentRow[] = [];
        for (const id of openIds) {
          const row = (await db.lock(FRAGMENT, id, 'update')) as FragmentRow | undefined;
          if (row?.state !== 'DELETING') continue;
          await db.update(FRAGMENT, id, { ...row, grantSentAt: this.program.life.world.now });
          rows.push(row);
        }
        return rows;
      });
      for (const row of granted) this.send(unit, row, epoch);
    });
  }

  private async expire(
    unit: Work,
    request: RequestOf<typeof imageExpire>,
  ): Promise<ResponseOf<typeof imageExpire>> {
    const { rules, life, settings } = this.program;
    const { decisions, deletableAt } = await unit.run('expires', async (db) => {
      const image = await lockImage(db, request.imageId!);
      const { now } = life.world;
      const deletableAt = now + settings.deleteGraceMs;
      const isImmediate = request.now && request.copy === undefined;
      const expiresAt = isImmediate ? Math.min(now, image.expiresAt) : image.expiresAt;
      const changed = { ...image, expiresAt };
      if (expiresAt < image.expiresAt) await db.update(IMAGE, image.imageId, changed);
      const fragments = await lockFragments(db, image.imageId);
      const facts = await factsOf(db, changed);
      const plan = rules.planExpiry(facts, { copy: request.copy }, new Date(now));
      const goes = plan.filter(({ decision }) => decision === 'delete').map(({ copy }) => copy);
      for (const row of fragments.filter(({ copy }) => goes.includes(copy))) {
        const ties = { ...(await tiesOf(db, row, facts)), isLastGood: false };
        await this.change(db, row, { type: 'retire', ties, deletableAt });
      }
      for (const copy of goes) await closeCopy(db, { imageId: image.imageId, copy });
      return { decisions: plan, deletableAt };
    });
    return { decisions, next: null, deletableAt: new Date(deletableAt).toISOString() };
  }

  private undelete(
    unit: Work,
    { imageId, copy }: RequestOf<typeof imageUndelete>,
  ): Promise<ResponseOf<typeof imageUndelete>> {
    return unit.run('undeletes', async (db) => {
      const image = await lockImage(db, imageId);
      let fragments = 0;
      for (const row of await lockFragments(db, imageId)) {
        if (row.isGivenUp || (copy !== undefined && row.copy !== copy)) continue;
        if (await this.change(db, row, { type: 'undelete' })) fragments += 1;
      }
      if (fragments === 0) throw new PermanentError(227, 'nothing is marked');
      const expiresAt = Math.max(image.expiresAt, this.program.life.world.now + KEPT_AGAIN_MS);
      await db.update(IMAGE, imageId, { ...image, expiresAt });
      return { fragments, expiresAt: new Date(expiresAt).toISOString() };
    });
  }

  private async grantDue(unit: Work, imageId: string): Promise<void> {
    const epoch = await unit.run('epoch', (db) => this.program.epoch(db));
    const { now } = this.program.life.world;
    const granted = await unit.run('grants', async (db) => {
      const image = await lockImage(db, imageId);
      const facts = await factsOf(db, image);
      const fragments = await lockFragments(db, imageId);
      if (!(await this.isSure(db, facts, fragments))) return [];
      const due = fragments.filter(({ deletableAt }) => deletableAt !== null && deletableAt <= now);
      const keep = new Set(
        due
          .filter((row) => row.state === 'TO_BE_DELETED' && this.isLastGood(facts, row.copy))
          .map(({ copy }) => copy),
      );
      const gone: FragmentRow[] = [];
      for (const row of due.filter(({ copy }) => !keep.has(copy))) {
        const after = await this.grantOne(db, row, facts);
        if (after) gone.push(after);
      }
      for (const row of fragments.filter(({ copy }) => keep.has(copy))) {
        if (row.state === 'TO_BE_DELETED') await this.change(db, row, { type: 'undelete' });
      }
      return gone;
    });
    for (const row of granted) this.send(unit, row, epoch);
  }

  /** Whether what the image keeps is known to be there: its servers were compared with the catalog. */
  private async isSure(
    db: Transaction,
    facts: ImageFacts,
    fragments: readonly FragmentRow[],
  ): Promise<boolean> {
    const { rules, life } = this.program;
    if (rules.habits.grantsInDoubt || !isStillNeeded(facts, new Date(life.world.now))) return true;
    const active = fragments.filter(({ state }) => state === 'ACTIVE');
    const servers = [...new Set(active.map(({ mediaId }) => mediaId))];
    return (await this.program.uncompared(db, servers)).length === 0;
  }

  private async grantOne(
    db: Transaction,
    row: FragmentRow,
    facts: ImageFacts,
  ): Promise<FragmentRow | undefined> {
    const { now } = this.program.life.world;
    const ties = {
      ...(await tiesOf(db, row, facts)),
      isLastGood: this.isLastGood(facts, row.copy),
    };
    const tombstoneId = uuidOf(`${row.fragmentId} ${this.program.fresh()}`);
    const after = await this.change(db, row, { type: 'grant', ties, tombstoneId });
    if (!after)
      await db.update(FRAGMENT, row.fragmentId, { ...row, deletableAt: now + LOOK_AGAIN_MS });
    return after;
  }

  private isLastGood(facts: ImageFacts, copy: number): boolean {
    return this.program.rules.isLastGood(facts, copy, new Date(this.program.life.world.now));
  }

  /** Decides, and saves what was decided. */
  private async change(
    db: Transaction,
    row: FragmentRow,
    input: DeletionInput,
  ): Promise<FragmentRow | undefined> {
    const { now } = this.program.life.world;
    const { fragment } = this.program.rules.decideDeletion(row, input, now);
    if (!fragment) return undefined;
    const { state, deletableAt, tombstoneId } = fragment;
    const slot = isLive(fragment) ? slotOf(row) : null;
    const grantSentAt = state === 'DELETING' ? now : row.grantSentAt;
    const after: FragmentRow = { ...row, state, deletableAt, tombstoneId, slot, grantSentAt };
    await db.update(FRAGMENT, row.fragmentId, after);
    return after;
  }

  private send(unit: Work, row: FragmentRow, catalogEpoch: string): void {
    const { fragmentId, mediaId } = row;
    unit.send(fragmentDeleteMessage, [mediaId, fragmentId], this.tombstoneOf(row, catalogEpoch));
  }

  private tombstoneOf(row: FragmentRow, catalogEpoch: string): Tombstone {
    const { fragmentId, imageId, copy, number, mediaId, digest, storedBytes } = row;
    const grantedAt = new Date(this.program.life.world.now).toISOString();
    return {
      ...{ tombstoneId: row.tombstoneId!, fragmentId, imageId, copy, number, mediaId },
      ...{ digest, storedBytes, reason: 'expired', catalogEpoch, grantedAt },
    };
  }

  private claim({ mediaId, fragmentId, tombstoneId }: RequestOf<typeof deleteClaim>) {
    const { rules, oracle } = this.program;
    return this.program.transaction(async (unit) => {
      const row = await unit.run('reads a grant', (db) => db.read(FRAGMENT, fragmentId));
      if (row && row['mediaId'] !== mediaId) return { confirmed: false, reason: 'another server' };
      const answer = rules.answerClaim(row as Deletable | undefined, tombstoneId);
      if (answer.confirmed) oracle.wasConfirmed(fragmentId);
      return answer;
    });
  }

  private async report(
    unit: Work,
    { mediaId, removals }: RequestOf<typeof deleteReport>,
  ): Promise<ResponseOf<typeof deleteReport>> {
    const epoch = await unit.run('epoch', (db) => this.program.epoch(db));
    const refused: string[] = [];
    const gone = await unit.run('notes removals', async (db) => {
      refused.length = 0;
      const changed: FragmentRow[] = [];
      for (const { fragmentId, tombstoneId } of removals) {
        const row = (await db.lock(FRAGMENT, fragmentId, 'update')) as FragmentRow | undefined;
        if (row?.mediaId === mediaId && row.state === 'DELETED') continue;
        const isOurs = row?.mediaId === mediaId;
        if (isOurs && (await this.change(db, row, { type: 'report', tombstoneId })))
          changed.push(row);
        else refused.push(fragmentId);
      }
      return changed;
    });
    for (const row of gone) {
      unit.send(fragmentDeleted, [row.fragmentId], this.tombstoneOf(row, epoch));
    }
    return { refused };
  }
}

export async function lockImage(db: Transaction, imageId: string): Promise<ImageRow> {
  const image = await db.lock(IMAGE, imageId, 'update');
  if (!image) throw new PermanentError(227, `there is no image ${imageId}`);
  return image as ImageRow;
}

/** What of an image is not granted or gone, locked in the order of the ids. */
async function lockFragments(db: Transaction, imageId: string): Promise<FragmentRow[]> {
  const locked: FragmentRow[] = [];
  for (const { fragmentId } of await fragmentsOf(db, imageId)) {
    const row = (await db.lock(FRAGMENT, fragmentId, 'update')) as FragmentRow;
    if (row.state !== 'DELETING' && row.state !== 'DELETED') locked.push(row);
  }
  return locked;
}

async function tiesOf(
  db: Transaction,
  { fragmentId }: FragmentRow,
  facts: ImageFacts,
): Promise<{ pins: number; holds: number }> {
  const pins = (await db.select(PIN, { fragmentId })).length;
  return { pins, holds: facts.holds.length };
}

/** Lets nobody commit to the copy any more, until it is granted again. */
async function closeCopy(
  db: Transaction,
  of: { readonly imageId: string; readonly copy: number },
): Promise<void> {
  const key = copyKey(of);
  const row = (await db.lock(COPY, key, 'update')) as CopyRow;
  const isCounted = row.completedAttempt === row.attempt;
  const attempt = row.attempt + 1;
  const completedAttempt = isCounted ? attempt : row.completedAttempt;
  await db.update(COPY, key, { ...row, attempt, completedAttempt });
}
