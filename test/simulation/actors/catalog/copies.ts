import {
  catalogFragmentSources,
  catalogPin,
  catalogUnpin,
  copyBegin,
  copyFinish,
} from '#contracts/catalog/copy.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { imageAbandon, imageBegin, imageFinish, type FragmentView } from '#contracts/image.js';
import { PermanentError } from '#kernel/errors.js';
import type { Transaction } from '../../parts/database.js';
import { WORLD_BEGINS_MS } from '../../kernel/world.js';
import type { Work } from '../link.js';
import {
  COPY,
  copyKey,
  FRAGMENT,
  IMAGE,
  PIN,
  type CopyRow,
  type FragmentRow,
  type ImageRow,
  type PinRow,
} from '../tables.js';
import type { CatalogProgram } from './catalog-program.js';

const FIRST_COPY = 1;
const RETENTION_MS = 1_000_000_000;

/** Images and their copies: begun, finished, pinned. Each may be asked again. */
export class Copies {
  constructor(private readonly program: CatalogProgram) {}

  serve(): void {
    const { link } = this.program;
    const within =
      <Q, A>(work: (unit: Work, request: Q) => Promise<A>) =>
      (request: Q): Promise<A> =>
        this.program.transaction((unit) => work(unit, request));
    link.serve(
      imageBegin,
      within((unit, request: BeginRequest) => this.begin(unit, request)),
    );
    link.serve(
      imageFinish,
      within((unit, request: RequestOf<typeof imageFinish>) => this.finish(unit, request)),
    );
    link.serve(imageAbandon, async () => ({}));
    link.serve(
      copyBegin,
      within((unit, request: CopyRequest) => this.beginCopy(unit, request)),
    );
    link.serve(
      copyFinish,
      within((unit, request: RequestOf<typeof copyFinish>) =>
        unit.run('counts a copy', (db) => finished(db, request, request.copyAttempt)),
      ),
    );
    link.serve(
      catalogFragmentSources,
      within((unit, request: RequestOf<typeof catalogFragmentSources>) =>
        unit.run('reads sources', (db) => sources(db, request)),
      ),
    );
    link.serve(
      catalogPin,
      within((unit, { job, imageIds }: RequestOf<typeof catalogPin>) =>
        unit.run('pins', async (db) => ({ fragments: await pinAll(db, job, imageIds) })),
      ),
    );
    link.serve(
      catalogUnpin,
      within((unit, { job }: RequestOf<typeof catalogUnpin>) =>
        unit.run('unpins', async (db) => ({ fragments: await unpin(db, job) })),
      ),
    );
  }

  private async begin(unit: Work, request: BeginRequest): Promise<ResponseOf<typeof imageBegin>> {
    return unit.run('begins an image', async (db) => {
      const { job, attempt, mediaId, pool } = request;
      const imageId = `${request.client}_${WORLD_BEGINS_MS / 1_000 + job}`;
      const image: ImageRow = {
        ...{ imageId, job, fragmentsExpected: null },
        expiresAt: this.program.life.world.now + RETENTION_MS,
      };
      await db.insert(IMAGE, imageId, image);
      const key = { imageId, copy: FIRST_COPY };
      const granted = await grantAttempt(db, { ...key, job, attempt, mediaId, pool });
      const { nextNumber, archiveOffset } = await resumePoint(db, key);
      return {
        ...{ imageId, copy: FIRST_COPY, copyAttempt: granted, kind: 'full', baseImageId: null },
        ...{ keepListings: [], nextNumber, archiveOffset },
        ...{ backupTime: WORLD_BEGINS_MS / 1_000 + job, details: detailsOf(job) },
      };
    });
  }

  private finish(
    unit: Work,
    request: RequestOf<typeof imageFinish>,
  ): Promise<ResponseOf<typeof imageFinish>> {
    return unit.run('finishes an image', async (db) => {
      const image = await db.lock(IMAGE, request.imageId, 'update');
      if (!image) throw new PermanentError(227, 'there is no such image');
      const copy = await db.read(COPY, copyKey(request));
      if (copy?.['attempt'] !== request.copyAttempt) throw new PermanentError(229, 'it is over');
      const { fragments } = request;
      await db.update(IMAGE, request.imageId, { ...image, fragmentsExpected: fragments });
      return finished(db, request, request.copyAttempt);
    });
  }

  /** A further copy: a fence of its own, and pins on what it is made from. */
  private beginCopy(unit: Work, request: CopyRequest): Promise<ResponseOf<typeof copyBegin>> {
    return unit.run('begins a copy', async (db) => {
      const { job, attempt, imageId, mediaId, pool } = request;
      const image = await db.lock(IMAGE, imageId, 'update');
      if (!image) throw new PermanentError(227, 'there is no such image');
      const copies = (await db.select(COPY, { imageId })).map(({ row }) => row as CopyRow);
      const mine = copies.find((each) => each.copy === request.copy || each.job === job);
      const copy = mine?.copy ?? Math.max(...copies.map((each) => each.copy)) + 1;
      const attempts = { imageId, copy, job, attempt, mediaId, pool };
      const copyAttempt = await grantAttempt(db, attempts);
      await unpin(db, job);
      const pinned = await pinAll(db, job, [imageId], copy);
      const lacking = await sources(db, { imageId, missingIn: copy, afterNumber: 0, limit: 100 });
      const expected = (image as ImageRow).fragmentsExpected ?? 0;
      const served = lacking.fragments.flatMap((each) => each.sources.map((from) => from.mediaId));
      if (pinned === 0 && expected > 0 && lacking.fragments.length > 0) {
        throw new PermanentError(229, 'nothing can be pinned');
      }
      return {
        ...{ imageId, copy, copyAttempt, client: 'c1', policy: 'p1', kind: 'full' },
        ...{ backupTime: WORLD_BEGINS_MS / 1_000, details: detailsOf(job) },
        ...{ fragments: expected, missing: lacking.fragments.length },
        sources: [...new Set(served)],
      };
    });
  }
}

type BeginRequest = RequestOf<typeof imageBegin>;
type CopyRequest = RequestOf<typeof copyBegin>;

function detailsOf(job: number) {
  return { job, schedule: 'user', retention: '14d', selections: ['/'], baseImageId: null };
}

/** The fence: a later attempt of the job raises it, the same one finds it as it was. */
async function grantAttempt(
  db: Transaction,
  wanted: {
    readonly imageId: string;
    readonly copy: number;
    readonly job: number;
    readonly attempt: number;
    readonly mediaId: string;
    readonly pool: string;
  },
): Promise<number> {
  const { imageId, copy, job, attempt, mediaId, pool } = wanted;
  const row: CopyRow = { imageId, copy, job, attempt: 1, jobAttempt: attempt, mediaId, pool };
  if (await db.insert(COPY, copyKey(wanted), row)) return 1;
  const found = (await db.lock(COPY, copyKey(wanted), 'update')) as CopyRow;
  const isSame = found.job === job && found.jobAttempt === attempt;
  if (isSame) return found.attempt;
  if (found.job === job && attempt < found.jobAttempt) throw new PermanentError(229, 'it is over');
  const raised: CopyRow = { ...row, attempt: found.attempt + 1 };
  await db.update(COPY, copyKey(wanted), raised);
  return raised.attempt;
}

/** Behind what is committed without a gap. */
async function resumePoint(
  db: Transaction,
  of: { readonly imageId: string; readonly copy: number },
): Promise<{ nextNumber: number; archiveOffset: number }> {
  const rows = await activeOf(db, of);
  const byNumber = new Map(rows.map((row) => [row.number, row]));
  let nextNumber = 1;
  let archiveOffset = 0;
  for (let row = byNumber.get(1); row; row = byNumber.get(nextNumber)) {
    nextNumber += 1;
    archiveOffset = row.archiveOffset + row.archiveBytes;
  }
  return { nextNumber, archiveOffset };
}

async function finished(
  db: Transaction,
  of: { readonly imageId: string; readonly copy: number },
  attempt: number,
): Promise<{ complete: boolean; waitsFor: string }> {
  const image = (await db.read(IMAGE, of.imageId)) as ImageRow | undefined;
  const copy = await db.read(COPY, copyKey(of));
  if (copy?.['attempt'] !== attempt) throw new PermanentError(229, 'it is over');
  const expected = image?.fragmentsExpected ?? Infinity;
  const active = (await activeOf(db, of)).filter(({ number }) => number <= expected).length;
  const complete = active === expected;
  return { complete, waitsFor: complete ? '' : `${expected - active} fragments` };
}

async function activeOf(
  db: Transaction,
  { imageId, copy }: { readonly imageId: string; readonly copy: number },
): Promise<FragmentRow[]> {
  const rows = await db.select(FRAGMENT, { imageId, copy, state: 'ACTIVE' });
  return rows.map(({ row }) => row as FragmentRow);
}

async function sources(
  db: Transaction,
  request: RequestOf<typeof catalogFragmentSources>,
): Promise<ResponseOf<typeof catalogFragmentSources>> {
  const { imageId, missingIn } = request;
  const rows = (await db.select(FRAGMENT, { imageId })).map(({ row }) => row as FragmentRow);
  const active = rows.filter(({ state }) => state === 'ACTIVE');
  const held = new Set(
    rows.filter(({ copy, slot }) => copy === missingIn && slot !== null).map((row) => row.number),
  );
  const numbers = [...new Set(active.map(({ number }) => number))].filter((n) => !held.has(n));
  return {
    fragments: numbers
      .sort((a, b) => a - b)
      .map((number) => ({
        number,
        sources: active
          .filter((row) => row.number === number && row.copy !== missingIn)
          .map((row) => viewOf(row)),
      }))
      .filter((each) => each.sources.length > 0),
  };
}

function viewOf(row: FragmentRow): FragmentView {
  const { deletableAt } = row;
  return {
    ...row,
    stateReason: '',
    deletableAt: deletableAt === null ? null : new Date(deletableAt).toISOString(),
    committedAt: row.sealedAt,
  } as FragmentView;
}

/** Only ACTIVE fragments can be pinned; each is locked, so that nobody retires it meanwhile. */
async function pinAll(
  db: Transaction,
  job: number,
  imageIds: readonly string[],
  exceptCopy?: number,
): Promise<number> {
  let pinned = 0;
  for (const imageId of imageIds) {
    for (const { key, row } of await db.select(FRAGMENT, { imageId, state: 'ACTIVE' })) {
      if ((row as FragmentRow).copy === exceptCopy) continue;
      const locked = (await db.lock(FRAGMENT, key, 'share')) as FragmentRow | undefined;
      if (locked?.state !== 'ACTIVE') continue;
      const pin: PinRow = { fragmentId: key, job };
      await db.insert(PIN, `${key}/${job}`, pin);
      pinned += 1;
    }
  }
  return pinned;
}

async function unpin(db: Transaction, job: number): Promise<number> {
  const pins = await db.select(PIN, { job });
  for (const { key } of pins) await db.remove(PIN, key);
  return pins.length;
}
