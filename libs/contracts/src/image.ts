import { z } from 'zod';
import { endpoint } from './contract.js';
import { publicEvent } from './event.js';
import {
  STREAMS_MAX,
  absolutePath,
  clientName,
  imageDetails,
  imageId,
  imageKind,
  jobNumber,
  keyword,
  mediaName,
  pageLimit,
  pathText,
  policyName,
  poolName,
  scheduleName,
  timestamp,
  unitName,
} from './names.js';

/** Derived from what is committed; nobody sets it. */
export const imageState = z.enum(['IN_PROCESS', 'COMPLETE', 'INCOMPLETE']);

export const imageView = z.object({
  imageId,
  client: z.string(),
  policy: z.string(),
  schedule: z.string(),
  kind: imageKind,
  state: imageState,
  job: z.int(),
  backupTime: timestamp,
  /** Null: it never expires by itself. */
  expiresAt: timestamp.nullable(),
  keyword: keyword.nullable().default(null),
  baseImageId: z.string().nullable(),
  /** Of a synthetic full: the newest of the images that it was made from; null for all others. */
  syntheticOf: z.string().nullable().optional(),
  selections: z.array(pathText),
  files: z.int(),
  bytes: z.int(),
  storedBytes: z.int(),
  fragments: z.int(),
  /** Copies that have not been deleted, whatever their state. */
  copies: z.int(),
  /** Names of the holds on it: none of its copies is deleted while there is one. */
  holds: z.array(z.string()).default([]),
  /**
   * Of an image that is INCOMPLETE since all of it is on its way out: TO_BE_DELETED can be taken back, `until` its grace period
   * ends; DELETING cannot any more; DELETED is gone. Else null.
   */
  leaving: z
    .object({
      state: z.enum(['TO_BE_DELETED', 'DELETING', 'DELETED']),
      until: timestamp.nullable(),
    })
    .nullable()
    .optional(),
});
export type ImageView = z.infer<typeof imageView>;

/**
 * ACTIVE: committed, its bytes are on the medium. DAMAGED: committed, but of no use: the bytes are
 * missing or changed, or its backup went on in front of it; another one takes its place. TO_BE_DELETED: within the grace period, can be taken back.
 * DELETING: its deletion is granted and irrevocable. DELETED: reported gone; the row stays.
 */
export const fragmentState = z.enum(['ACTIVE', 'DAMAGED', 'TO_BE_DELETED', 'DELETING', 'DELETED']);
export type FragmentState = z.infer<typeof fragmentState>;

export const fragmentView = z.object({
  fragmentId: z.uuid(),
  imageId,
  copy: z.int(),
  number: z.int(),
  attempt: z.int(),
  state: fragmentState,
  /** Why it is in this state, where there is more to say; else empty. */
  stateReason: z.string().default(''),
  /** When its grace period ends, if it is marked for deletion: TO_BE_DELETED, or DAMAGED. */
  deletableAt: timestamp.nullable().default(null),
  mediaId: mediaName,
  pool: poolName,
  archiveOffset: z.int(),
  archiveBytes: z.int(),
  storedBytes: z.int(),
  digest: z.string(),
  indexBytes: z.int(),
  indexDigest: z.string(),
  frames: z.int(),
  committedAt: timestamp,
});
export type FragmentView = z.infer<typeof fragmentView>;

export const fileView = z.object({
  imageId,
  path: pathText.describe('absolute'),
  type: z.enum(['f', 'd', 'l', 'h', 'p', 'c', 'b', 'x']),
  size: z.int(),
  mtime: z
    .string()
    .describe('RFC 3339 with nanoseconds; `@` and seconds since 1970 beyond all calendars'),
  mode: z.string().describe('octal'),
  uid: z.int(),
  gid: z.int(),
  target: z.string().describe('of a symbolic or hard link, path text'),
});
export type FileView = z.infer<typeof fileView>;

export const imageBegin = endpoint('catalog', 'image-begin', {
  description: 'Makes the image of a backup job; asking again for the same job gives the same one',
  request: z.object({
    job: jobNumber,
    /**
     * Of the job. The same attempt gets the same answer. A later one goes on with the job's image
     * under a higher fence, behind the fragments that are committed without a gap.
     */
    attempt: z.int().min(1).default(1),
    /** The agent cannot go on with the image that the job has begun: make a new one. */
    fresh: z.boolean().default(false),
    client: clientName,
    policy: policyName,
    schedule: scheduleName,
    kind: imageKind,
    selections: z.array(absolutePath),
    /** Such as `14d`, or `infinite`. */
    retention: z.string(),
    keyword: keyword.optional(),
    /** For one of several streams: the parent job of the run. Who runs a stream again says it, too. */
    group: jobNumber.optional(),
    /** How many streams that run has. */
    groupStreams: z.int().min(1).max(STREAMS_MAX).optional(),
    /** A synthetic full of the images up to this one, whose state it has; see `synthesis-chain`. */
    syntheticOf: imageId.optional(),
    unit: unitName,
    pool: poolName,
    mediaId: mediaName,
  }),
  response: z.object({
    imageId,
    backupTime: z.int(),
    copy: z.int(),
    /** The fence of (image, copy), granted with this answer. */
    copyAttempt: z.int(),
    /** What it became: an incremental without a base is a full. */
    kind: imageKind,
    baseImageId: imageId.nullable(),
    /** Why it became a full: what this image builds on is missing or damaged. Said when it is made. */
    brokenBase: imageId.optional(),
    /** See the agent's task. */
    baseListing: imageId.optional(),
    /** See the agent's task. */
    keepListings: z.array(imageId).nullable(),
    /** Where this attempt goes on; 1 and 0 for an image that holds nothing yet. */
    nextNumber: z.int().min(1).default(1),
    archiveOffset: z.int().nonnegative().default(0),
    /** Of what is in front of that place. */
    storedBytes: z.int().nonnegative().optional(),
    details: imageDetails,
  }),
});

export const imageFinish = endpoint('catalog', 'image-finish', {
  description: 'Says what a finished backup wrote; answers whether all of it is committed',
  request: z.object({
    imageId,
    copy: z.int(),
    copyAttempt: z.int(),
    kind: imageKind,
    fragments: z.int().min(1),
    files: z.int().nonnegative(),
    bytes: z.int().nonnegative(),
  }),
  response: z.object({
    complete: z.boolean(),
    waitsFor: z.string(),
    /** Fragments that are ACTIVE in no copy. */
    uncommitted: z.int().nonnegative().default(0),
  }),
});

export const imageAbandon = endpoint('catalog', 'image-abandon', {
  description: 'Says that the job of an image failed: it is shown as INCOMPLETE. Deletes nothing',
  request: z.object({ imageId, job: jobNumber }),
  response: z.object({}),
});

export const catalogImages = endpoint('catalog', 'images', {
  description: 'Images, the newest first',
  request: z.object({
    client: clientName.optional(),
    policy: policyName.optional(),
    keyword: keyword.optional(),
    before: imageId.optional(),
    limit: pageLimit,
  }),
  response: z.object({
    images: z.array(imageView),
    /** There are further ones, before the last of these. */
    more: z.boolean().default(false),
  }),
});

export const catalogImage = endpoint('catalog', 'image', {
  description: 'One image',
  request: z.object({ imageId }),
  response: z.object({ image: imageView }),
});

export const catalogFragments = endpoint('catalog', 'fragments', {
  description: 'Fragments of an image in order',
  request: z.object({
    imageId,
    copy: z.int().default(1),
    afterNumber: z.int().default(0),
    limit: pageLimit,
    /** Also what is deleted or was replaced. A page then ends behind a whole number. */
    all: z.boolean().default(false),
  }),
  response: z.object({ fragments: z.array(fragmentView) }),
});

export const catalogFiles = endpoint('catalog', 'files', {
  description: 'Files of an image folder by folder: by the path of the folder, then by name',
  request: z.object({
    imageId,
    /** A path: it and everything below it. */
    prefix: pathText.optional(),
    /** The last path of the page before. */
    after: pathText.optional(),
    limit: pageLimit,
  }),
  response: z.object({ files: z.array(fileView) }),
});

export const catalogFilesText = endpoint('catalog', 'files-text', {
  description:
    'The same as lines of text, for many of them: what to ask for next comes with the answer',
  request: z.object({
    imageId,
    prefix: pathText.optional(),
    /** `next` of the answer before. */
    after: pathText.optional(),
  }),
  response: z.object({
    text: z.string().describe('docs/formats.md, "Files as lines"'),
    next: pathText.nullable().describe('null: that was all'),
  }),
});

export const catalogFind = endpoint('catalog', 'find', {
  description: 'Versions of a path over all images; * and ? stand for any text or character',
  request: z.object({ pattern: pathText, client: clientName.optional(), limit: pageLimit }),
  response: z.object({
    files: z.array(fileView.extend({ backupTime: timestamp, client: z.string() })),
    truncated: z.boolean(),
  }),
});

export const catalogChain = endpoint('catalog', 'restore-chain', {
  description:
    'The images that a restore reads, oldest first; of a run with several streams one chain after the other',
  request: z.union([
    z.object({ imageId, exact: z.boolean().default(false) }),
    z.object({ client: clientName, at: timestamp, policy: policyName.optional() }),
  ]),
  response: z.object({
    client: clientName,
    /** `media`: the servers that hold ACTIVE fragments of any copy. */
    images: z.array(
      z.object({
        imageId,
        kind: imageKind,
        media: z.array(mediaName),
        /** Each different set of servers that hold one of its fragments: one of each is needed. */
        anyOf: z.array(z.array(mediaName)).default([]),
      }),
    ),
    /** How many of `images` each stream has. The stream whose newest image is the newest comes last. */
    streams: z.array(z.int().min(1)).default([]),
    /** Streams of the run of which no image is there that had begun by then: nothing of them is restored. */
    missingStreams: z.int().min(0).default(0),
  }),
});

export const catalogSynthesisChain = endpoint('catalog', 'synthesis-chain', {
  description:
    'What a synthetic full of a client, policy and selections is made from: the newest image with its incrementals back to the full, oldest first',
  request: z.object({
    /** A job that has begun its image is told the same again, whatever has come since. */
    job: jobNumber,
    client: clientName,
    policy: policyName,
    selections: z.array(absolutePath).min(1),
  }),
  response: catalogChain.response.pick({ images: true }),
});

export const imageBegun = publicEvent('image', 'begun', {
  description: 'A backup has begun to write an image',
  data: imageView,
});
export const imageCompleted = publicEvent('image', 'completed', {
  description: 'Every fragment of an image and its file index are in the catalog',
  data: imageView,
});
