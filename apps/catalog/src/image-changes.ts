import { Injectable } from '@nestjs/common';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import {
  imageBegun,
  type imageAbandon,
  type imageBegin,
  type imageFinish,
} from '#contracts/image.js';
import type { ImageKind } from '#contracts/names.js';
import { Clock } from '#kernel/clock.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { UnitOfWork, type Work } from '#outbox/unit-of-work.js';
import { countImage } from './completion.js';
import { CatalogConfig } from './config.js';
import { chooseBase, freeBackupTime, latestBaseTime, selectionSet } from './domain/base.js';
import { unknownImage } from './domain/chains/chain.js';
import { notSynthesizable, overtaken } from './domain/chains/synthesis.js';
import { waitsFor } from './domain/image-state.js';
import { resumePointOf, type CommittedPiece } from './domain/resume.js';
import { expiryOf } from './domain/retention.js';
import { KeptListings } from './kept-listings.js';
import { CatalogEpoch } from './persistence/catalog-epoch.js';
import { Gaps } from './persistence/copies/gaps.js';
import { viewOfNew } from './persistence/image-views.js';
import { detailsOf, type ImageRow, type NewImage } from './persistence/entities/image.entity.js';
import { Images, type Lineage } from './persistence/images.js';

type BeginRequest = RequestOf<typeof imageBegin>;
type FinishRequest = RequestOf<typeof imageFinish>;

const FIRST_COPY = 1;
const FIRST_ATTEMPT = 1;

/** An image as an attempt finds it: new, or with what earlier attempts have committed. */
interface Begun {
  readonly image: NewImage;
  /** The fence of its first copy. */
  readonly copyAttempt: number;
  readonly pieces: readonly CommittedPiece[];
  /** Why a new one is a full: this image can be built on no more. */
  readonly brokenBase?: string | undefined;
}

/** Begins, finishes and abandons images. Each may be asked again: the answer stays the same. */
@Injectable()
export class ImageChanges {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly clock: Clock,
    private readonly config: CatalogConfig,
    private readonly epoch: CatalogEpoch,
    private readonly keptListings: KeptListings,
  ) {}

  /**
   * The image for an attempt of a job. A later attempt goes on with the job's image, behind what is
   * committed without a gap; with `fresh` it gets a new one, and the old one is fenced and INCOMPLETE.
   */
  async begin(request: BeginRequest): Promise<ResponseOf<typeof imageBegin>> {
    await this.epoch.get();
    const { image, copyAttempt, pieces, brokenBase, baseListing } = await this.unitOfWork.run(
      async (unit) => {
        const images = new Images(unit.db);
        await images.lockClient(request.client);
        const begun = (await this.continued(unit, request)) ?? (await this.made(unit, request));
        const { baseImageId } = begun.image;
        return { ...begun, baseListing: baseImageId && (await images.syntheticOf(baseImageId)) };
      },
    );
    return {
      imageId: image.imageId,
      backupTime: image.backupTime,
      copy: FIRST_COPY,
      copyAttempt,
      kind: image.kind,
      baseImageId: image.baseImageId,
      ...(brokenBase && { brokenBase }),
      ...(baseListing && { baseListing }),
      // Nobody of the same client has to wait for that.
      keepListings: await this.keptListings.of(image.client, image.policy),
      ...resumePointOf(pieces),
      details: detailsOf(image),
    };
  }

  /** Records what a backup wrote and counts what of it is here. */
  finish(request: FinishRequest): Promise<ResponseOf<typeof imageFinish>> {
    return this.unitOfWork.run(async (unit) => {
      const images = new Images(unit.db);
      const image = await images.lock(request.imageId);
      if (!image) throw unknownImage(request.imageId);
      await requireFence(images, request);
      if (image.fragmentsExpected === null) {
        await images.save(image.imageId, finishedAs(image, request, this.clock.now()));
      } else {
        requireSameTotals(image, request);
      }
      const progress = await countImage(unit, image.imageId);
      return {
        complete: progress.complete,
        waitsFor: waitsFor(progress),
        uncommitted: Math.max((progress.fragmentsExpected ?? 0) - progress.committed, 0),
      };
    });
  }

  /** Marks the image of a failed job, unless it is complete. Nothing is deleted. */
  abandon(request: RequestOf<typeof imageAbandon>): Promise<ResponseOf<typeof imageAbandon>> {
    return this.unitOfWork.run(async (unit) => {
      const images = new Images(unit.db);
      const image = await images.lock(request.imageId);
      if (!image) throw unknownImage(request.imageId);
      if (image.job !== request.job) {
        throw outOfSequence(`Image ${image.imageId} belongs to job ${image.job ?? 0}.`);
      }
      const { complete } = await images.progress(image.imageId);
      if (!complete && image.abandonedAt === null) {
        await images.save(image.imageId, { abandonedAt: this.clock.now() });
      }
      return {};
    });
  }

  private async continued(unit: Work, request: BeginRequest): Promise<Begun | undefined> {
    const images = new Images(unit.db);
    const known = await images.latestOf(request);
    const image = known && (await images.lock(known.imageId));
    if (!image || !(await this.isGoneOnWith(unit, image, request))) return undefined;
    return {
      image,
      copyAttempt: (await images.copy(image.imageId, FIRST_COPY))!.attempt,
      pieces: await images.piecesOf(image.imageId, FIRST_COPY),
    };
  }

  /** False where the attempt makes a new one instead. */
  private async isGoneOnWith(unit: Work, image: ImageRow, request: BeginRequest): Promise<boolean> {
    const { imageId } = image;
    const images = new Images(unit.db);
    const { jobAttempt } = (await images.copy(imageId, FIRST_COPY))!;
    // What a backup has finished stays as it is, whoever asks.
    if (request.attempt === jobAttempt || image.finishedAt !== null) return true;
    if (request.attempt < jobAttempt) {
      throw outOfSequence(`Attempt ${request.attempt} of job ${request.job} is over.`);
    }
    await images.raiseFence(imageId, FIRST_COPY, request);
    if (request.fresh) {
      await images.save(imageId, { abandonedAt: image.abandonedAt ?? this.clock.now() });
      return false;
    }
    await images.save(imageId, { abandonedAt: null });
    await this.giveUpBehindGap(unit, image);
    return true;
  }

  /**
   * The agent reads the files anew from the gap on, and may find them changed: what an earlier attempt
   * has behind the gap does not fit any more. It frees its numbers, and goes after a grace period. Nor does the file
   * index of what is damaged there.
   */
  private async giveUpBehindGap(unit: Work, image: ImageRow): Promise<void> {
    const pieces = await new Images(unit.db).piecesOf(image.imageId, FIRST_COPY);
    const { nextNumber } = resumePointOf(pieces);
    const now = this.clock.now();
    await new Gaps(unit.db).giveUp(image, {
      ...{ copy: FIRST_COPY, from: nextNumber, now },
      deletableAt: new Date(now.getTime() + this.config.deleteGraceMs),
    });
  }

  private async made(unit: Work, request: BeginRequest): Promise<Begun> {
    const images = new Images(unit.db);
    const { job, attempt, client, policy, schedule, retention, selections } = request;
    const { keyword, group = null, groupStreams = null } = request;
    const lineage: Lineage = { client, policy, selectionSet: selectionSet(selections) };
    await images.disown(request);
    const now = this.clock.now();
    const last = await lastOf(images, lineage, { kind: request.kind, now });
    const { kind, base, brokenBase } = chooseBase(request.kind, last);
    const tip = await synthesized(images, request);
    const wanted = tip ? tip.backupTime + 1 : Math.floor(now.getTime() / 1_000);
    const backupTime = freeBackupTime(wanted, await images.backupTimesFrom(client, wanted));
    if (tip && (await images.hasBetween(lineage, tip, backupTime))) {
      throw overtaken(tip.imageId);
    }
    const imageId = `${client}_${backupTime}`;
    const image: NewImage = {
      ...{ imageId, schedule, kind, job, backupTime, retention, selections, begunAt: now },
      ...{ client, policy, selectionSet: [...lineage.selectionSet] },
      expiresAt: expiryOf(backupTime, retention),
      ...{ keyword: keyword || null, group, groupStreams },
      baseImageId: base?.imageId ?? null,
      syntheticOf: tip?.imageId ?? null,
      chainLength: (base?.chainLength ?? 0) + 1,
      ...{ finishedAt: null, fragmentsExpected: null, files: null, bytes: null },
      abandonedAt: null,
    };
    await images.insert(image, {
      ...{ imageId, copy: FIRST_COPY, attempt: FIRST_ATTEMPT, jobAttempt: attempt },
      ...{ unit: request.unit, pool: request.pool, mediaId: request.mediaId },
      ...{ job, begunAt: now, completedAttempt: null },
    });
    unit.announce(imageBegun, imageId, viewOfNew(image));
    return { image, copyAttempt: FIRST_ATTEMPT, pieces: [], brokenBase };
  }
}

/** What an incremental of that kind may build on; a full builds on nothing. */
async function lastOf(
  images: Images,
  lineage: Lineage,
  { kind, now }: { readonly kind: ImageKind; readonly now: Date },
) {
  const until = latestBaseTime(now);
  const last = (which: 'any' | 'full') => images.lastComplete(lineage, which, until);
  return {
    any: kind === 'differential' ? await last('any') : undefined,
    full: kind === 'cumulative' ? await last('full') : undefined,
  };
}

/**
 * The newest image of what a synthetic full is made from: it is dated a second behind that, since it holds
 * what the client held then, and whatever was backed up later builds on something else or is newer.
 */
async function synthesized(images: Images, { syntheticOf, kind }: BeginRequest) {
  if (syntheticOf === undefined) return undefined;
  const tip = kind === 'full' ? await images.find(syntheticOf) : undefined;
  if (tip === undefined || tip.kind === 'full') throw notSynthesizable(syntheticOf);
  return tip;
}

function outOfSequence(message: string): PermanentError {
  return new PermanentError(STATUS.outOfSequence, message);
}

async function requireFence(images: Images, request: FinishRequest): Promise<void> {
  if ((await images.fence(request.imageId, request.copy)) !== request.copyAttempt) {
    throw outOfSequence(
      `Attempt ${request.copyAttempt} at copy ${request.copy} of ${request.imageId} is over.`,
    );
  }
}

/** An incremental may have become a full on the way, where the agent had lost its listing. */
function finishedAs(image: ImageRow, request: FinishRequest, now: Date): Partial<ImageRow> {
  const { imageId, kind, fragments, files, bytes } = request;
  if (image.abandonedAt !== null) {
    throw outOfSequence(`Image ${imageId} was abandoned: its job had ended.`);
  }
  if (kind !== image.kind && kind !== 'full') {
    throw outOfSequence(`Image ${imageId} was begun as ${image.kind}, not as ${kind}.`);
  }
  const base = kind === 'full' ? { baseImageId: null, chainLength: 1 } : {};
  return { kind, ...base, fragmentsExpected: fragments, files, bytes, finishedAt: now };
}

function requireSameTotals(
  image: ImageRow,
  { kind, fragments, files, bytes }: FinishRequest,
): void {
  const same =
    image.kind === kind &&
    image.fragmentsExpected === fragments &&
    image.files === files &&
    image.bytes === bytes;
  if (!same) throw outOfSequence(`Image ${image.imageId} was finished with other totals.`);
}
