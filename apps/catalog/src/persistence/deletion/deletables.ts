import type { Tombstone } from '#contracts/fragment.js';
import type { FragmentState } from '#contracts/image.js';
import type { Deletable } from '../../domain/deletion.js';
import { IN_EITHER_HALF } from '../fragment-view.js';
import type { Queries } from '../queries.js';

/** A fragment, locked, with what a decision about its deletion needs and a tombstone says. */
export interface DeletableFragment extends Deletable {
  readonly fragmentId: string;
  readonly imageId: string;
  readonly copy: number;
  readonly number: number;
  readonly mediaId: string;
  readonly digest: string;
  readonly storedBytes: number;
  readonly stateReason: string;
  readonly isGivenUp: boolean;
  readonly grantedAt: Date | null;
}

export interface DeletionChange {
  readonly fragmentId: string;
  readonly to: Deletable;
  readonly reason: string;
}

const COLUMNS = `f.fragment_id, f.image_id, f.copy, f.number, f.media_id, f.digest, f.stored_bytes,
  f.state, f.state_reason, f.deletable_at, f.given_up_at, f.tombstone_id, f.granted_at`;

/** Fragments on their way out. Everybody locks the image first, then fragments by their ids. */
export class Deletables {
  constructor(private readonly db: Queries) {}

  /** What of an image is not granted or gone yet, locked. */
  lock(imageId: string): Promise<DeletableFragment[]> {
    return this.select(
      `WHERE f.image_id = $1 AND f.state IN ('ACTIVE', 'TO_BE_DELETED', 'DAMAGED')
         AND ${IN_EITHER_HALF}
       ORDER BY f.fragment_id FOR UPDATE`,
      [imageId],
    );
  }

  /**
   * What of an image has waited out its grace period, locked; so many at most. The index of all that is marked, which
   * is of no use for one image, has no such term as the `coalesce`.
   */
  lockDue(imageId: string, now: Date, limit: number): Promise<DeletableFragment[]> {
    return this.select(
      `WHERE f.image_id = $1 AND f.state IN ('TO_BE_DELETED', 'DAMAGED') AND ${IN_EITHER_HALF}
         AND coalesce(f.deletable_at, 'infinity') <= $2
       ORDER BY f.fragment_id LIMIT $3 FOR UPDATE`,
      [imageId, now, limit],
    );
  }

  /** Those of the fragments that there are, locked. */
  lockThese(fragmentIds: readonly string[]): Promise<DeletableFragment[]> {
    return this.select(`WHERE f.fragment_id = ANY($1::uuid[]) ORDER BY f.fragment_id FOR UPDATE`, [
      fragmentIds,
    ]);
  }

  /** Granted ones whose grant was sent last before `sentBefore`, locked; others' are left out. */
  lockUnreported(sentBefore: Date, limit: number): Promise<DeletableFragment[]> {
    return this.select(
      `WHERE f.state = 'DELETING' AND (f.grant_sent_at IS NULL OR f.grant_sent_at <= $1)
       ORDER BY f.grant_sent_at LIMIT $2 FOR UPDATE SKIP LOCKED`,
      [sentBefore, limit],
    );
  }

  async find(fragmentId: string): Promise<DeletableFragment | undefined> {
    const [found] = await this.select('WHERE f.fragment_id = $1', [fragmentId]);
    return found;
  }

  /** Whether another fragment holds its number. */
  async isReplaced({ fragmentId, imageId, copy, number }: DeletableFragment): Promise<boolean> {
    const rows = await this.db.query<unknown[]>(
      `SELECT 1 FROM fragment WHERE image_id = $1 AND copy = $2 AND number = $3
         AND state IN ('ACTIVE', 'TO_BE_DELETED') AND fragment_id <> $4`,
      [imageId, copy, number, fragmentId],
    );
    return rows.length > 0;
  }

  /**
   * Images of which something has waited out its grace period: those that have the longest, and of them what builds on
   * others first. Those on hold are due once that is lifted, however long it lasts.
   */
  async dueImages(now: Date, limit: number): Promise<string[]> {
    const rows = await this.db.query<{ image_id: string }[]>(
      `SELECT i.image_id FROM (
         SELECT d.image_id FROM (
           SELECT f.image_id, f.deletable_at FROM fragment f
           WHERE f.state IN ('TO_BE_DELETED', 'DAMAGED') AND f.deletable_at <= $1
             AND NOT EXISTS (SELECT 1 FROM image_hold h WHERE h.image_id = f.image_id)
           ORDER BY f.deletable_at LIMIT 10000
         ) d GROUP BY d.image_id ORDER BY min(d.deletable_at) LIMIT $2
       ) d JOIN image i ON i.image_id = d.image_id ORDER BY i.chain_length DESC, i.image_id DESC`,
      [now, limit],
    );
    return rows.map((row) => row.image_id);
  }

  /** Images on hold of which something that can be taken back has waited out its grace period. */
  async dueOnHold(now: Date): Promise<string[]> {
    const rows = await this.db.query<{ image_id: string }[]>(
      `SELECT DISTINCT h.image_id FROM image_hold h CROSS JOIN LATERAL (
         SELECT 1 FROM fragment f WHERE f.image_id = h.image_id AND f.state = 'TO_BE_DELETED'
           AND coalesce(f.deletable_at, 'infinity') <= $1 LIMIT 1
       ) f ORDER BY h.image_id`,
      [now],
    );
    return rows.map((row) => row.image_id);
  }

  /** Images with a damaged fragment whose number another one holds again, and no hold on them. */
  async imagesWithReplaced(limit: number): Promise<string[]> {
    const rows = await this.db.query<{ image_id: string }[]>(
      `SELECT DISTINCT f.image_id FROM fragment f
       WHERE f.state = 'DAMAGED' AND f.deletable_at IS NULL AND EXISTS (
         SELECT 1 FROM fragment l WHERE l.image_id = f.image_id AND l.copy = f.copy
           AND l.number = f.number AND l.state = 'ACTIVE')
         AND NOT EXISTS (SELECT 1 FROM image_hold h WHERE h.image_id = f.image_id)
       LIMIT $1`,
      [limit],
    );
    return rows.map((row) => row.image_id);
  }

  /** The media servers that an image relies on. */
  async serversOf(imageId: string): Promise<string[]> {
    const rows = await this.db.query<{ media_id: string }[]>(
      `SELECT DISTINCT media_id FROM fragment WHERE image_id = $1 AND state = 'ACTIVE'`,
      [imageId],
    );
    return rows.map((row) => row.media_id);
  }

  /** How many jobs hold each of the fragments. Ask it once they are locked: pins need that lock. */
  async pinsOf(fragmentIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const rows = await this.db.query<{ fragment_id: string; pins: string }[]>(
      `SELECT fragment_id, count(*) AS pins FROM pin
       WHERE fragment_id = ANY($1::uuid[]) GROUP BY fragment_id`,
      [fragmentIds],
    );
    return new Map(rows.map((row) => [row.fragment_id, Number(row.pins)]));
  }

  async save(changes: readonly DeletionChange[], now: Date): Promise<void> {
    if (changes.length === 0) return;
    await this.db.query(
      `UPDATE fragment f SET state = c.state, state_reason = c.reason,
         deletable_at = c.deletable_at, tombstone_id = c.tombstone_id,
         granted_at = CASE WHEN c.state = 'DELETING' THEN coalesce(f.granted_at, $6)
           ELSE f.granted_at END,
         grant_sent_at = CASE c.state WHEN 'DELETING' THEN $6 ELSE f.grant_sent_at END,
         deleted_at = CASE WHEN c.state = 'DELETED' THEN coalesce(f.deleted_at, $6)
           ELSE f.deleted_at END
       FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::uuid[])
         AS c(fragment_id, state, reason, deletable_at, tombstone_id)
       WHERE f.fragment_id = c.fragment_id`,
      [
        changes.map(({ fragmentId }) => fragmentId),
        changes.map(({ to }) => to.state),
        changes.map(({ reason }) => reason),
        changes.map(({ to }) => (to.deletableAt === null ? null : new Date(to.deletableAt))),
        changes.map(({ to }) => to.tombstoneId),
        now,
      ],
    );
  }

  /** Remembers that grants were sent once more. */
  async markSent(fragmentIds: readonly string[], now: Date): Promise<void> {
    await this.db.query(
      `UPDATE fragment SET grant_sent_at = $2 WHERE fragment_id = ANY($1::uuid[])`,
      [fragmentIds, now],
    );
  }

  private async select(where: string, values: unknown[]): Promise<DeletableFragment[]> {
    const rows = await this.db.query<DeletableRecord[]>(
      `SELECT ${COLUMNS} FROM fragment f ${where}`,
      values,
    );
    return rows.map(toDeletable);
  }
}

/** The grant of a fragment that is DELETING or DELETED, as it is sent, however often. */
export function tombstoneOf(of: DeletableFragment, catalogEpoch: string): Tombstone {
  const { fragmentId, imageId, copy, number, mediaId, digest, storedBytes } = of;
  return {
    ...{ fragmentId, imageId, copy, number, mediaId, digest, storedBytes },
    tombstoneId: of.tombstoneId!,
    reason: of.stateReason,
    catalogEpoch,
    grantedAt: of.grantedAt!.toISOString(),
  };
}

interface DeletableRecord {
  readonly fragment_id: string;
  readonly image_id: string;
  readonly copy: number;
  readonly number: number;
  readonly media_id: string;
  readonly digest: string;
  readonly stored_bytes: string;
  readonly state: FragmentState;
  readonly state_reason: string;
  readonly deletable_at: Date | null;
  readonly given_up_at: Date | null;
  readonly tombstone_id: string | null;
  readonly granted_at: Date | null;
}

function toDeletable(row: DeletableRecord): DeletableFragment {
  return {
    fragmentId: row.fragment_id,
    imageId: row.image_id,
    copy: row.copy,
    number: row.number,
    mediaId: row.media_id,
    digest: row.digest,
    storedBytes: Number(row.stored_bytes),
    state: row.state,
    stateReason: row.state_reason,
    deletableAt: row.deletable_at?.getTime() ?? null,
    isGivenUp: row.given_up_at !== null,
    tombstoneId: row.tombstone_id,
    grantedAt: row.granted_at,
  };
}
