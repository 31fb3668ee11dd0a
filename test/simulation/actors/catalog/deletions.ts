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
import type { Deletable, Ties } from '../../../../apps/catalog/src/domain/deletion.js';
import type { CopyFacts, ImageFacts } from '../../../../apps/catalog/src/domain/expiry.js';
import type { Transaction } from '../../parts/database.js';
import type { Work } from '../link.js';
import { FRAGMENT, HOLD, IMAGE, PIN, slotOf, type FragmentRow, type ImageRow } from '../tables.js';
import type { CatalogProgram } from './catalog-program.js';

const GRACE_MS = 60_000;
const GRANT_LOOK_MS = 30_000;
const RESEND_MS = 120_000;

/** The way of fragments out of the catalog, by the real decisions, each with its rows locked. */
export class Deletions {
  private sentAt = new Map<string, number>();

  constructor(private readonly program: CatalogProgram) {}

  serve(): void {
    const { link } = this.program;
    link.serve(imageExpire, (request) =>
      this.program.transaction((unit) => this.expire(unit, request)),
    );
    link.serve(imageUndelete, (request) =>
      this.program.transaction((unit) => this.undelete(unit, request.imageId)),
    );
    link.serve(imageHold, ({ imageId, hold, release }) =>
      this.program.transaction((unit) =>
        unit.run('holds', async (db) => {
          await db.lock(IMAGE, imageId, 'update');
          if (release) await db.remove(HOLD, imageId);
          else await db.insert(HOLD, imageId, { imageId, hold });
          return { holds: release ? [] : [hold] };
        }),
      ),
    );
    link.serve(deleteClaim, ({ fragmentId, tombstoneId }) => this.claim(fragmentId, tombstoneId));
    link.serve(deleteReport, (request) =>
      this.program.transaction((unit) => this.report(unit, request)),
    );
  }

  /** Grants what is due, and sends grants again that nobody has reported on. */
  async round(): Promise<void> {
    const { due, granted } = await this.program.transaction((unit) =>
      unit.run('reads what is to go', async (db) => ({
        due: await db.select(FRAGMENT, { state: 'TO_BE_DELETED' }),
        granted: await db.select(FRAGMENT, { state: 'DELETING' }),
      })),
    );
    for (const { key } of due) await this.program.transaction((unit) => this.grant(unit, key));
    for (const { row } of granted) await this.resend(row as FragmentRow);
  }

  get roundMs(): number {
    return GRANT_LOOK_MS;
  }

  private async expire(
    unit: Work,
    request: RequestOf<typeof imageExpire>,
  ): Promise<ResponseOf<typeof imageExpire>> {
    const { imageId, copy } = request;
    const { rules, life } = this.program;
    const { now } = life.world;
    const deletableAt = now + GRACE_MS;
    const decisions = await unit.run('expires', async (db) => {
      const image = (await db.lock(IMAGE, imageId!, 'update')) as ImageRow | undefined;
      if (!image) throw new PermanentError(227, 'there is no such image');
      const expiresAt = request.now ? now : image.expiresAt;
      if (request.now) await db.update(IMAGE, imageId!, { ...image, expiresAt });
      const facts = await factsOf(db, { ...image, expiresAt });
      const plan = rules.planExpiry(facts, { copy }, new Date(now));
      for (const each of plan.filter(({ decision }) => decision === 'delete')) {
        await this.retire(db, { imageId: imageId!, copy: each.copy }, deletableAt);
      }
      return plan;
    });
    return { decisions, deletableAt: new Date(deletableAt).toISOString() };
  }

  private async retire(
    db: Transaction,
    of: { readonly imageId: string; readonly copy: number },
    deletableAt: number,
  ): Promise<void> {
    for (const { key } of await db.select(FRAGMENT, of)) {
      const row = (await db.lock(FRAGMENT, key, 'update')) as FragmentRow | undefined;
      if (!row) continue;
      const ties = await this.tiesOf(db, row);
      const { fragment } = this.decide(row, { type: 'retire', ties, deletableAt });
      if (fragment) await db.update(FRAGMENT, key, changed(row, fragment));
    }
  }

  private undelete(unit: Work, imageId: string): Promise<ResponseOf<typeof imageUndelete>> {
    return unit.run('undeletes', async (db) => {
      const image = (await db.lock(IMAGE, imageId, 'update')) as ImageRow | undefined;
      if (!image) throw new PermanentError(227, 'there is no such image');
      let fragments = 0;
      for (const { key } of await db.select(FRAGMENT, { imageId, state: 'TO_BE_DELETED' })) {
        const row = (await db.lock(FRAGMENT, key, 'update')) as FragmentRow;
        const { fragment } = this.decide(row, { type: 'undelete' });
        if (!fragment) continue;
        await db.update(FRAGMENT, key, changed(row, fragment));
        fragments += 1;
      }
      const expiresAt = this.program.life.world.now + 10 * GRACE_MS;
      await db.update(IMAGE, imageId, { ...image, expiresAt });
      return { fragments, expiresAt: new Date(expiresAt).toISOString() };
    });
  }

  private async grant(unit: Work, fragmentId: string): Promise<void> {
    const catalogEpoch = await unit.run('epoch', (db) => this.program.epoch(db));
    const tombstoneId = uuidOf(`${fragmentId} ${this.program.fresh()}`);
    const granted = await unit.run('grants', async (db) => {
      const seen = (await db.read(FRAGMENT, fragmentId)) as FragmentRow | undefined;
      if (!seen) return undefined;
      await db.lock(IMAGE, seen.imageId, 'update');
      const row = (await db.lock(FRAGMENT, fragmentId, 'update')) as FragmentRow;
      const ties = await this.tiesOf(db, row);
      const { fragment } = this.decide(row, { type: 'grant', ties, tombstoneId });
      if (!fragment) return undefined;
      const after = changed(row, fragment);
      await db.update(FRAGMENT, fragmentId, after);
      return after;
    });
    if (granted) this.send(unit, granted, catalogEpoch);
  }

  private async resend(row: FragmentRow): Promise<void> {
    const { now } = this.program.life.world;
    const last = this.sentAt.get(row.fragmentId);
    if (last !== undefined && now - last < RESEND_MS) return;
    await this.program.transaction(async (unit) => {
      this.send(unit, row, await unit.run('epoch', (db) => this.program.epoch(db)));
    });
  }

  private send(unit: Work, row: FragmentRow, catalogEpoch: string): void {
    this.sentAt.set(row.fragmentId, this.program.life.world.now);
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

  private claim(fragmentId: string, tombstoneId: string) {
    const { rules, oracle } = this.program;
    return this.program.transaction(async (unit) => {
      const row = await unit.run('reads a grant', (db) => db.read(FRAGMENT, fragmentId));
      const answer = rules.answerClaim(row as Deletable | undefined, tombstoneId);
      if (answer.confirmed) oracle.wasConfirmed(fragmentId);
      return answer;
    });
  }

  private async report(
    unit: Work,
    { removals }: RequestOf<typeof deleteReport>,
  ): Promise<ResponseOf<typeof deleteReport>> {
    const catalogEpoch = await unit.run('epoch', (db) => this.program.epoch(db));
    const gone = await unit.run('notes removals', async (db) => {
      const changes: FragmentRow[] = [];
      for (const { fragmentId, tombstoneId } of removals) {
        const row = (await db.lock(FRAGMENT, fragmentId, 'update')) as FragmentRow | undefined;
        if (!row || row.state === 'DELETED') continue;
        const { fragment } = this.decide(row, { type: 'report', tombstoneId });
        if (!fragment) continue;
        await db.update(FRAGMENT, fragmentId, changed(row, fragment));
        changes.push(row);
      }
      return changes;
    });
    for (const row of gone) {
      unit.send(fragmentDeleted, [row.fragmentId], this.tombstoneOf(row, catalogEpoch));
    }
    return {};
  }

  private decide(
    row: FragmentRow,
    input: Parameters<typeof this.program.rules.decideDeletion>[1],
  ): { fragment?: Deletable | undefined } {
    return this.program.rules.decideDeletion(row, input, this.program.life.world.now);
  }

  /** Read with the fragment and its image locked. */
  private async tiesOf(db: Transaction, row: FragmentRow): Promise<Ties> {
    const pins = await db.select(PIN, { fragmentId: row.fragmentId });
    const holds = await db.select(HOLD, { imageId: row.imageId });
    const image = (await db.read(IMAGE, row.imageId)) as ImageRow;
    const { copies } = await factsOf(db, image);
    const isNeeded = image.expiresAt > this.program.life.world.now;
    const hasOther = copies.some(({ copy, isGood }) => isGood && copy !== row.copy);
    return { pins: pins.length, holds: holds.length, isLastGood: isNeeded && !hasOther };
  }
}

/** A fragment in its new state; it holds its number as long as its bytes may be needed. */
function changed(row: FragmentRow, fragment: Deletable): FragmentRow {
  const { state, deletableAt, tombstoneId } = fragment;
  const isLive = state === 'ACTIVE' || state === 'TO_BE_DELETED';
  return { ...row, state, deletableAt, tombstoneId, slot: isLive ? slotOf(row) : null };
}

async function factsOf(db: Transaction, image: ImageRow): Promise<ImageFacts> {
  const { imageId } = image;
  const rows = (await db.select(FRAGMENT, { imageId })).map(({ row }) => row as FragmentRow);
  const holds = await db.select(HOLD, { imageId });
  const copies: CopyFacts[] = [];
  for (const copy of [...new Set(rows.map((row) => row.copy))].sort()) {
    const own = rows.filter((row) => row.copy === copy);
    const left = own.filter(({ state }) => state !== 'DELETED' && state !== 'DELETING');
    let pins = 0;
    for (const { fragmentId } of left) pins += (await db.select(PIN, { fragmentId })).length;
    if (left.length === 0) continue;
    const active = left.filter(({ state }) => state === 'ACTIVE').length;
    copies.push({
      ...{ copy, pins, fragments: left.length },
      isGood: image.fragmentsExpected !== null && active === image.fragmentsExpected,
      isMarked: left.every(({ state }) => state === 'TO_BE_DELETED'),
      storedBytes: left.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
    });
  }
  return {
    ...{ imageId, copies, dependents: [], holds: holds.map(({ row }) => String(row['hold'])) },
    isBeingMade: image.fragmentsExpected === null,
    expiresAt: new Date(image.expiresAt),
  };
}
