import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import {
  catalogChain,
  catalogImage,
  imageAbandon,
  imageBegin,
  imageFinish,
} from '#contracts/image.js';
import { PermanentError } from '#kernel/errors.js';
import { resumePointOf } from '../../../../apps/catalog/src/domain/resume.js';
import type { Transaction } from '../../parts/database.js';
import type { Work } from '../link.js';
import { COPY, copyKey, FRAGMENT, IMAGE, type CopyRow, type ImageRow } from '../tables.js';
import type { CatalogContext } from './catalog-context.js';
import { fragmentsOf, imageViewOf, missingNumbers } from './copy-facts.js';

export const FIRST_COPY = 1;
const RETENTION_MS = 1_000_000_000;

type BeginRequest = RequestOf<typeof imageBegin>;

/** Images of backups: begun, gone on with, finished, abandoned. Each may be asked again. */
export class Images {
  constructor(private readonly program: CatalogContext) {}

  serve(): void {
    const { link } = this.program;
    link.serve(imageBegin, (request) =>
      this.program.transaction((unit) => this.begin(unit, request)),
    );
    link.serve(imageFinish, (request) =>
      this.program.transaction((unit) =>
        unit.run('finishes an image', (db) => this.finish(db, request)),
      ),
    );
    link.serve(imageAbandon, ({ imageId }) =>
      this.program.transaction((unit) => unit.run('abandons', (db) => abandon(db, imageId))),
    );
    link.serve(catalogImage, ({ imageId }) =>
      this.program.transaction((unit) =>
        unit.run('shows an image', async (db) => ({
          image: await imageViewOf(db, await mustFind(db, imageId)),
        })),
      ),
    );
    link.serve(catalogChain, (request) =>
      this.program.transaction((unit) =>
        unit.run('shows a chain', (db) => chainOf(db, (request as { imageId: string }).imageId)),
      ),
    );
  }

  private begin(unit: Work, request: BeginRequest): Promise<ResponseOf<typeof imageBegin>> {
    return unit.run('begins an image', async (db) => {
      const { job } = request;
      const image = (await this.continued(db, request)) ?? (await this.made(db, request));
      const { imageId } = image;
      const copy = (await db.read(COPY, copyKey({ imageId, copy: FIRST_COPY }))) as CopyRow;
      const pieces = await piecesOf(db, imageId);
      const details = { job, schedule: 'user', retention: '14d', selections: ['/'] };
      return {
        ...{ imageId, copy: FIRST_COPY, copyAttempt: copy.attempt, kind: 'full', keepListings: [] },
        ...{
          ...resumePointOf(pieces),
          baseImageId: null,
          details: { ...details, baseImageId: null },
        },
        backupTime: Number(imageId.split('_')[1]),
      };
    });
  }

  private async continued(db: Transaction, request: BeginRequest): Promise<ImageRow | undefined> {
    const { job, attempt, mediaId, pool } = request;
    const images = (await db.select(IMAGE, { job })).map(({ row }) => row as ImageRow);
    const newest = images.at(-1);
    const image = newest && ((await db.lock(IMAGE, newest.imageId, 'update')) as ImageRow);
    if (!image) return undefined;
    const { imageId } = image;
    const key = copyKey({ imageId, copy: FIRST_COPY });
    const copy = (await db.lock(COPY, key, 'update')) as CopyRow;
    if (attempt === copy.jobAttempt || image.fragmentsExpected !== null) return image;
    if (attempt < copy.jobAttempt) throw new PermanentError(229, `attempt ${attempt} is over`);
    const raised = { ...copy, attempt: copy.attempt + 1, jobAttempt: attempt, mediaId, pool };
    await db.update(COPY, key, raised);
    await db.update(IMAGE, imageId, { ...image, isAbandoned: request.fresh });
    if (request.fresh) return undefined;
    await this.giveUpBehindGap(db, imageId);
    return image;
  }

  /** What an earlier attempt has behind a gap frees its numbers, and goes after a grace period. */
  private async giveUpBehindGap(db: Transaction, imageId: string): Promise<void> {
    const pieces = await piecesOf(db, imageId);
    const { nextNumber } = resumePointOf(pieces);
    for (const { fragmentId } of pieces.filter(({ number }) => number >= nextNumber)) {
      const row = await db.lock(FRAGMENT, fragmentId, 'update');
      if (row?.['state'] !== 'ACTIVE') continue;
      const deletableAt = this.program.life.world.now + this.program.settings.deleteGraceMs;
      const given = { ...row, state: 'DAMAGED', slot: null, isGivenUp: true, deletableAt };
      await db.update(FRAGMENT, fragmentId, given);
    }
  }

  private async made(db: Transaction, request: BeginRequest): Promise<ImageRow> {
    const { job, attempt, mediaId, pool } = request;
    const image: ImageRow = {
      imageId: await this.freeId(db, request.client),
      ...{ job, fragmentsExpected: null, isAbandoned: false, wasComplete: false },
      expiresAt: this.program.life.world.now + RETENTION_MS,
    };
    const { imageId } = image;
    await db.insert(IMAGE, imageId, image);
    const copy: CopyRow = {
      ...{ imageId, copy: FIRST_COPY, attempt: 1, job, jobAttempt: attempt, mediaId, pool },
      completedAttempt: null,
    };
    await db.insert(COPY, copyKey(copy), copy);
    return image;
  }

  /** The first second from now on that no image of the client bears. */
  private async freeId(db: Transaction, client: string): Promise<string> {
    // One backup of a client begins at a time.
    await db.lock(IMAGE, `client ${client}`, 'update');
    for (let second = Math.floor(this.program.life.world.now / 1_000); ; second += 1) {
      const imageId = `${client}_${second}`;
      if (!(await db.read(IMAGE, imageId))) return imageId;
    }
  }

  private async finish(
    db: Transaction,
    request: RequestOf<typeof imageFinish>,
  ): Promise<ResponseOf<typeof imageFinish>> {
    const image = (await db.lock(IMAGE, request.imageId, 'update')) as ImageRow | undefined;
    if (!image) throw new PermanentError(227, 'there is no such image');
    const key = copyKey(request);
    const copy = (await db.read(COPY, key)) as CopyRow | undefined;
    if (copy?.attempt !== request.copyAttempt) throw new PermanentError(229, 'it is over');
    if (image.isAbandoned) throw new PermanentError(229, 'its job had ended');
    const fragmentsExpected = image.fragmentsExpected ?? request.fragments;
    if (fragmentsExpected !== request.fragments) throw new PermanentError(229, 'other totals');
    const counted = { ...image, fragmentsExpected };
    const missing = await missingNumbers(db, counted);
    const complete = this.program.rules.habits.countsNothing ?? missing.length === 0;
    await db.update(IMAGE, image.imageId, {
      ...counted,
      wasComplete: counted.wasComplete || complete,
    });
    if (complete) await db.update(COPY, key, { ...copy, completedAttempt: copy.attempt });
    const waitsFor = complete ? '' : `the commit of fragment ${missing[0]}`;
    return { complete, waitsFor, uncommitted: missing.length };
  }
}

export async function mustFind(db: Transaction, imageId: string): Promise<ImageRow> {
  const image = await db.read(IMAGE, imageId);
  if (!image) throw new PermanentError(227, `there is no image ${imageId}`);
  return image as ImageRow;
}

async function abandon(db: Transaction, imageId: string): Promise<Record<string, never>> {
  const image = (await db.lock(IMAGE, imageId, 'update')) as ImageRow | undefined;
  if (image && image.fragmentsExpected === null) {
    await db.update(IMAGE, imageId, { ...image, isAbandoned: true });
  }
  return {};
}

async function chainOf(db: Transaction, imageId: string): Promise<ResponseOf<typeof catalogChain>> {
  await mustFind(db, imageId);
  const active = (await fragmentsOf(db, imageId)).filter(({ state }) => state === 'ACTIVE');
  const media = [...new Set(active.map(({ mediaId }) => mediaId))];
  const anyOf = [...new Set(active.map(({ number }) => number))].map((number) =>
    active.filter((row) => row.number === number).map(({ mediaId }) => mediaId),
  );
  const images = [{ imageId, kind: 'full' as const, media, anyOf }];
  return { client: 'c1', images, streams: [1], missingStreams: 0 };
}

async function piecesOf(db: Transaction, imageId: string) {
  const rows = await fragmentsOf(db, imageId);
  return rows.filter(({ copy, state }) => copy === FIRST_COPY && state === 'ACTIVE');
}
