import { z } from 'zod';
import { endpoint } from '../contract.js';
import { publicEvent } from '../event.js';
import { fragmentState, fragmentView } from '../image.js';
import {
  clientName,
  imageDetails,
  imageId,
  imageKind,
  jobNumber,
  mediaName,
  poolName,
  timestamp,
  unitName,
} from '../names.js';
import { RESTORE_IMAGES_MAX } from '../task.js';

/**
 * Derived from the copy's fragments; nobody sets it. DEGRADED: once complete, now damaged.
 * TO_BE_DELETED: all that is left of it is marked for deletion or being deleted.
 */
export const copyState = z.enum([
  'IN_PROCESS',
  'COMPLETE',
  'INCOMPLETE',
  'DEGRADED',
  'TO_BE_DELETED',
  'DELETED',
]);

export const copyView = z.object({
  imageId,
  copy: z.int(),
  state: copyState,
  unit: z.string(),
  pool: poolName,
  mediaId: mediaName,
  /** The job that made it, 0 where that is not known. */
  job: z.int(),
  /** The fence: the attempt that may commit. */
  attempt: z.int(),
  fragments: z.int(),
  /** Null until the backup has said how many there are. */
  fragmentsExpected: z.int().nullable(),
  damaged: z.int(),
  /** Fragments that running jobs hold. */
  pinned: z.int(),
  storedBytes: z.int(),
  /** Null: it never expires by itself. */
  expiresAt: timestamp.nullable(),
});
export type CopyView = z.infer<typeof copyView>;

export const catalogCopies = endpoint('catalog', 'copies', {
  description: 'The copies of an image with their derived states',
  request: z.object({ imageId }),
  response: z.object({ copies: z.array(copyView) }),
});

/** Numbers of one page of `fragment-sources`: with ten copies each it still fits into a message. */
export const SOURCES_PAGE_MAX = 100;

export const catalogFragmentSources = endpoint('catalog', 'fragment-sources', {
  description:
    'Where each fragment of an image can be read, the best copy first; none where no copy has it',
  request: z.object({
    imageId,
    /** Only the numbers that this copy lacks, from the other copies. */
    missingIn: z.int().min(1).max(10).optional(),
    afterNumber: z.int().default(0),
    limit: z.int().min(1).max(SOURCES_PAGE_MAX).default(SOURCES_PAGE_MAX),
  }),
  response: z.object({
    /**
     * Every number of the page. The sources are ACTIVE; unless `missingIn` was asked for, DAMAGED ones
     * come last, for what of them can still be read.
     */
    fragments: z.array(z.object({ number: z.int(), sources: z.array(fragmentView) })),
  }),
});

export const copyBegin = endpoint('catalog', 'copy-begin', {
  description:
    'Makes a further copy of an image, or goes on with one, and pins its source fragments; asking again is harmless',
  request: z.object({
    job: jobNumber,
    /** Of the job. The same attempt gets the same answer; a later one a higher fence. */
    attempt: z.int().min(1),
    imageId,
    /** To complete or repair this copy. Else: the job's copy, an unfinished one in the pool, or a new one. */
    copy: z.int().min(1).max(10).optional(),
    unit: unitName,
    pool: poolName,
    mediaId: mediaName,
  }),
  response: z.object({
    imageId,
    copy: z.int(),
    copyAttempt: z.int(),
    client: clientName,
    policy: z.string(),
    kind: imageKind,
    backupTime: z.int(),
    details: imageDetails,
    /** Fragments of the image, and how many of them the copy lacks. */
    fragments: z.int(),
    missing: z.int(),
    /** The media servers that hold what it lacks, the best first. */
    sources: z.array(mediaName),
  }),
});

export const copyFinish = endpoint('catalog', 'copy-finish', {
  description: 'Counts a copy: is every fragment of the image committed in it?',
  request: z.object({ imageId, copy: z.int(), copyAttempt: z.int() }),
  response: z.object({ complete: z.boolean(), waitsFor: z.string() }),
});

export const catalogPin = endpoint('catalog', 'pin', {
  description:
    'Holds the ACTIVE fragments of images for a job that reads them; asking again is harmless',
  request: z.object({ job: jobNumber, imageIds: z.array(imageId).min(1).max(RESTORE_IMAGES_MAX) }),
  response: z.object({ fragments: z.int() }),
});

export const catalogUnpin = endpoint('catalog', 'unpin', {
  description: 'Ends all pins of a job, when it has ended',
  request: z.object({ job: jobNumber }),
  response: z.object({ fragments: z.int() }),
});

export const fragmentSuspect = endpoint('catalog', 'fragment-suspect', {
  description:
    'Says that a fragment could not be read or is not what was committed; its media server checks it, and only that counts; the answer does not wait for a large one',
  request: z.object({ fragmentId: z.uuid(), reason: z.string().max(2_000), reporter: z.string() }),
  response: z.object({ state: fragmentState }),
});

export const copyCompleted = publicEvent('copy', 'completed', {
  description: 'Every fragment of an image is committed in a further copy; the id is the image',
  data: copyView,
});
