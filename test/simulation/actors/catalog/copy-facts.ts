import type { CopyView } from '#contracts/catalog/copy.js';
import type { ImageView } from '#contracts/image.js';
import { copyState, type CopyCounts } from '../../../../apps/catalog/src/domain/copy-state.js';
import type { CopyFacts, ImageFacts } from '../../../../apps/catalog/src/domain/expiry.js';
import { imageState } from '../../../../apps/catalog/src/domain/image-state.js';
import type { Transaction } from '../../parts/database.js';
import {
  COPY,
  FRAGMENT,
  HOLD,
  isLive,
  PIN,
  type CopyRow,
  type FragmentRow,
  type ImageRow,
  type PinRow,
} from '../tables.js';

/** A copy with what is counted of it, as `Copies` reads it. */
export interface CopyFound extends CopyCounts {
  readonly row: CopyRow;
  readonly state: CopyView['state'];
  readonly fragments: number;
  readonly storedBytes: number;
  readonly pinningJobs: number;
}

export async function fragmentsOf(db: Transaction, imageId: string): Promise<FragmentRow[]> {
  return (await db.select(FRAGMENT, { imageId })).map(({ row }) => row as FragmentRow);
}

export async function copiesOf(db: Transaction, image: ImageRow): Promise<CopyFound[]> {
  const { imageId, fragmentsExpected } = image;
  const fragments = await fragmentsOf(db, imageId);
  const pins = (await db.select(PIN, {})).map(({ row }) => row as PinRow);
  const rows = (await db.select(COPY, { imageId })).map(({ row }) => row as CopyRow);
  return rows.map((row) => {
    const own = fragments.filter(({ copy }) => copy === row.copy);
    const count = (of: (each: FragmentRow) => boolean) => own.filter(of).length;
    const ids = new Set(own.filter(isLive).map(({ fragmentId }) => fragmentId));
    const isBackup = row.copy === 1 && fragmentsExpected === null && !image.isAbandoned;
    const counts: CopyCounts = {
      fragmentsExpected,
      active: count(
        ({ state, number }) => state === 'ACTIVE' && number <= (fragmentsExpected ?? 0),
      ),
      kept: count(isKept),
      leaving: count((each) => each.state !== 'DELETED' && !isKept(each)),
      deleted: count(({ state }) => state === 'DELETED'),
      wasComplete: row.completedAttempt !== null,
      isBeingWritten: isBackup || pins.some(({ job }) => job === row.job),
    };
    return {
      ...{ ...counts, row, state: copyState(counts), fragments: counts.kept },
      storedBytes: own.filter(isKept).reduce((sum, { storedBytes }) => sum + storedBytes, 0),
      pinningJobs: new Set(
        pins.filter(({ fragmentId }) => ids.has(fragmentId)).map(({ job }) => job),
      ).size,
    };
  });
}

/** What an expiration is decided by. Read it with the image locked. */
export async function factsOf(db: Transaction, image: ImageRow): Promise<ImageFacts> {
  const { imageId, fragmentsExpected, isAbandoned, expiresAt } = image;
  const holds = await db.select(HOLD, { imageId });
  const copies = await copiesOf(db, image);
  return {
    ...{ imageId, dependents: [], holds: holds.map(({ row }) => String(row['hold'])) },
    isBeingMade: fragmentsExpected === null && !isAbandoned,
    expiresAt: new Date(expiresAt),
    copies: copies
      .filter(({ state }) => state !== 'DELETED')
      .map(({ row, state, fragments, storedBytes, pinningJobs, isBeingWritten }): CopyFacts => ({
        ...{ copy: row.copy, fragments, storedBytes, isBeingWritten, pins: pinningJobs },
        isGood: state === 'COMPLETE',
        isMarked: state === 'TO_BE_DELETED',
      })),
  };
}

/** The lowest number that is ACTIVE in none of the given copies. */
export async function missingNumbers(
  db: Transaction,
  image: ImageRow,
  copy?: number,
): Promise<number[]> {
  const active = (await fragmentsOf(db, image.imageId)).filter(
    (each) => each.state === 'ACTIVE' && (copy === undefined || each.copy === copy),
  );
  const there = new Set(active.map(({ number }) => number));
  const all = Array.from({ length: image.fragmentsExpected ?? 0 }, (_, index) => index + 1);
  return all.filter((number) => !there.has(number));
}

export async function imageViewOf(db: Transaction, image: ImageRow): Promise<ImageView> {
  const { imageId, job, fragmentsExpected, isAbandoned: abandoned, wasComplete } = image;
  const complete = fragmentsExpected !== null && (await missingNumbers(db, image)).length === 0;
  const at = new Date(image.expiresAt).toISOString();
  return {
    ...{ imageId, job, client: 'c1', policy: 'p1', schedule: 'user', kind: 'full' },
    state: imageState({ complete, abandoned, wasComplete }),
    ...{ backupTime: at, expiresAt: at, baseImageId: null, selections: ['/'] },
    ...{ files: 0, bytes: 0, storedBytes: 0, fragments: fragmentsExpected ?? 0, copies: 1 },
  } as ImageView;
}

export function copyViewOf(image: ImageRow, found: CopyFound): CopyView {
  const { row, state, active, fragmentsExpected, storedBytes } = found;
  return {
    ...{ imageId: row.imageId, copy: row.copy, state, unit: 'u1', pool: row.pool },
    ...{ mediaId: row.mediaId, job: row.job, attempt: row.attempt, fragments: active },
    ...{ fragmentsExpected, damaged: 0, pinned: 0, storedBytes },
    expiresAt: new Date(image.expiresAt).toISOString(),
  };
}

function isKept({ state, deletableAt }: FragmentRow): boolean {
  return state === 'ACTIVE' || (state === 'DAMAGED' && deletableAt === null);
}
