import {
  catalogCopies,
  catalogFragmentSources,
  catalogPin,
  catalogUnpin,
  copyBegin,
  copyFinish,
} from '#contracts/catalog/copy.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import type { FragmentView } from '#contracts/image.js';
import { PermanentError } from '#kernel/errors.js';
import { chooseCopy } from '../../../../apps/catalog/src/domain/copy-choice.js';
import { bestFirst } from '../../../../apps/catalog/src/domain/copy-state.js';
import type { Transaction } from '../../parts/database.js';
import {
  COPY,
  copyKey,
  FRAGMENT,
  IMAGE,
  isLive,
  PIN,
  type CopyRow,
  type FragmentRow,
  type ImageRow,
  type PinRow,
} from '../tables.js';
import type { CatalogContext } from './catalog-context.js';
import {
  copiesOf,
  copyViewOf,
  fragmentsOf,
  imageViewOf,
  missingNumbers,
  type CopyFound,
} from './copy-facts.js';
import { mustFind } from './images.js';

type BeginRequest = RequestOf<typeof copyBegin>;
type SourcesRequest = RequestOf<typeof catalogFragmentSources>;

/** Further copies of images, and what running jobs hold. Each may be asked again. */
export class Copies {
  constructor(private readonly program: CatalogContext) {}

  serve(): void {
    const { link } = this.program;
    const within = <T>(what: string, work: (db: Transaction) => Promise<T>): Promise<T> =>
      this.program.transaction((unit) => unit.run(what, work));
    link.serve(copyBegin, (request) => within('begins a copy', (db) => begin(db, request)));
    link.serve(copyFinish, (request) => within('counts a copy', (db) => finish(db, request)));
    link.serve(catalogCopies, ({ imageId }) =>
      within('shows copies', async (db) => {
        const image = await mustFind(db, imageId);
        return { copies: (await copiesOf(db, image)).map((each) => copyViewOf(image, each)) };
      }),
    );
    link.serve(catalogFragmentSources, (request) =>
      within('shows sources', (db) => sources(db, request)),
    );
    link.serve(catalogPin, ({ job, imageIds }) =>
      within('pins', async (db) => {
        for (const imageId of imageIds) await pin(db, job, await fragmentsOf(db, imageId));
        return { fragments: (await db.select(PIN, { job })).length };
      }),
    );
    link.serve(catalogUnpin, ({ job }) =>
      within('unpins', async (db) => {
        const pins = await db.select(PIN, { job });
        for (const { key } of pins) await db.remove(PIN, key);
        return { fragments: pins.length };
      }),
    );
  }
}

/** Grants a copy to an attempt of a job, and pins what it lacks in the other copies. */
async function begin(
  db: Transaction,
  request: BeginRequest,
): Promise<ResponseOf<typeof copyBegin>> {
  const { imageId, job, pool } = request;
  const image = (await db.lock(IMAGE, imageId, 'update')) as ImageRow | undefined;
  if (!image) throw new PermanentError(227, `there is no image ${imageId}`);
  const known = await copiesOf(db, image);
  const wish = { job, pool, ...(request.copy === undefined ? {} : { copy: request.copy }) };
  const choices = known.map(({ row, state, isBeingWritten }) => ({
    ...{ copy: row.copy, pool: row.pool, job: row.job, state, isBeingWritten },
  }));
  const copy = chooseCopy(await imageViewOf(db, image), choices, wish);
  const own = known.find(({ row }) => row.copy === copy);
  const copyAttempt = await grant(db, own, { ...request, copy });
  const missing = await numbersNotHeld(db, image, copy);
  await pin(db, job, await lackingOf(db, imageId, copy));
  // What was let go of meanwhile is missed.
  const left = (await fragmentsOf(db, imageId)).filter(
    ({ copy: other, state, number }) =>
      other !== copy && state === 'ACTIVE' && missing.includes(number),
  );
  if (missing.length > 0 && left.length === 0)
    throw new PermanentError(165, 'no other copy has it');
  return {
    ...{ imageId, copy, copyAttempt, client: 'c1', policy: 'p1', kind: 'full' },
    backupTime: Number(imageId.split('_')[1]),
    details: { job, schedule: 'user', retention: '14d', selections: ['/'], baseImageId: null },
    ...{ fragments: image.fragmentsExpected!, missing: missing.length },
    sources: [...new Set(left.map(({ mediaId }) => mediaId))],
  };
}

/** The fence of the attempt: a new one, unless it has it already. */
async function grant(
  db: Transaction,
  known: CopyFound | undefined,
  request: BeginRequest & { readonly copy: number },
): Promise<number> {
  const { imageId, copy, job, attempt: jobAttempt, pool, mediaId } = request;
  const writer = { imageId, copy, job, jobAttempt, pool, mediaId };
  const before = known?.row;
  const isOwn = before?.job === job && known?.state !== 'DELETED';
  if (isOwn && before.jobAttempt === jobAttempt) return before.attempt;
  if (isOwn && jobAttempt < before.jobAttempt) throw new PermanentError(229, 'it is over');
  const attempt = (before?.attempt ?? 0) + 1;
  const completedAttempt = known?.state === 'COMPLETE' ? attempt : null;
  const row: CopyRow = { ...writer, attempt, completedAttempt };
  const key = copyKey(writer);
  if (!(await db.insert(COPY, key, row))) await db.update(COPY, key, row);
  return attempt;
}

async function finish(
  db: Transaction,
  { imageId, copy, copyAttempt }: RequestOf<typeof copyFinish>,
): Promise<ResponseOf<typeof copyFinish>> {
  const image = (await db.lock(IMAGE, imageId, 'update')) as ImageRow | undefined;
  if (!image) throw new PermanentError(227, `there is no image ${imageId}`);
  const key = copyKey({ imageId, copy });
  const row = (await db.lock(COPY, key, 'update')) as CopyRow | undefined;
  if (row?.attempt !== copyAttempt) throw new PermanentError(229, 'it is over');
  const missing = await missingNumbers(db, image, copy);
  const complete = missing.length === 0;
  if (complete) await db.update(COPY, key, { ...row, completedAttempt: row.attempt });
  return { complete, waitsFor: complete ? '' : `the commit of fragment ${missing[0]}` };
}

/** Numbers that neither an ACTIVE nor a marked fragment of the copy holds. */
async function numbersNotHeld(db: Transaction, image: ImageRow, copy: number): Promise<number[]> {
  const rows = (await fragmentsOf(db, image.imageId)).filter((row) => row.copy === copy);
  const held = new Set(rows.filter(isLive).map(({ number }) => number));
  const all = Array.from({ length: image.fragmentsExpected ?? 0 }, (_, index) => index + 1);
  return all.filter((number) => !held.has(number));
}

/** What is ACTIVE in other copies and neither ACTIVE nor marked in this one. */
async function lackingOf(db: Transaction, imageId: string, copy: number): Promise<FragmentRow[]> {
  const rows = await fragmentsOf(db, imageId);
  const held = new Set(
    rows.filter((row) => row.copy === copy && isLive(row)).map(({ number }) => number),
  );
  return rows.filter((row) => row.copy !== copy && row.state === 'ACTIVE' && !held.has(row.number));
}

/** Only what is ACTIVE can be pinned; it is locked for that, in the order of the ids. */
async function pin(db: Transaction, job: number, rows: readonly FragmentRow[]): Promise<void> {
  const inOrder = [...rows].sort((a, b) => (a.fragmentId < b.fragmentId ? -1 : 1));
  for (const { fragmentId } of inOrder) {
    const locked = (await db.lock(FRAGMENT, fragmentId, 'share')) as FragmentRow | undefined;
    if (locked?.state !== 'ACTIVE') continue;
    const held: PinRow = { fragmentId, job };
    await db.insert(PIN, `${fragmentId}/${job}`, held);
  }
}

async function sources(
  db: Transaction,
  { imageId, missingIn, afterNumber }: SourcesRequest,
): Promise<ResponseOf<typeof catalogFragmentSources>> {
  const image = await mustFind(db, imageId);
  const rows = await fragmentsOf(db, imageId);
  const copies = (await copiesOf(db, image)).map((each) => copyViewOf(image, each));
  const held = new Set(
    rows.filter((row) => row.copy === missingIn && isLive(row)).map(({ number }) => number),
  );
  const last = image.fragmentsExpected ?? Math.max(0, ...rows.map(({ number }) => number));
  const numbers = Array.from({ length: last }, (_, index) => index + 1);
  return {
    fragments: numbers
      .filter((number) => number > afterNumber && !held.has(number))
      .map((number) => {
        const found = rows.filter(
          (row) => row.number === number && row.state === 'ACTIVE' && row.copy !== missingIn,
        );
        return { number, sources: bestFirst(found.map(viewOf), copies) };
      }),
  };
}

function viewOf(row: FragmentRow): FragmentView {
  return { ...row, stateReason: '', deletableAt: null, committedAt: row.sealedAt } as FragmentView;
}
