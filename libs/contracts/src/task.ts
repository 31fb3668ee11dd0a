import { z } from 'zod';
import { message } from './contract.js';
import { jobHooks } from './jobs/hooks.js';
import {
  STREAMS_MAX,
  absolutePath,
  clientName,
  dataAddress,
  dataToken,
  imageDetails,
  imageId,
  imageKind,
  jobNumber,
  mediaName,
  pathText,
  poolName,
  scheduleName,
} from './names.js';

const forAttempt = { job: jobNumber, attempt: z.int().min(1) };

/** What a media server must know of the copy that it writes; most of it goes into the manifests. */
const writtenCopy = z.object({
  imageId,
  copy: z.int().min(1).max(10),
  /** The fence of (image, copy). */
  copyAttempt: z.int().min(1),
  client: clientName,
  policy: z.string(),
  kind: imageKind,
  backupTime: z.int(),
  /** For the last manifest, so that a catalog can be rebuilt from storage. */
  details: imageDetails,
});
export type WrittenCopy = z.infer<typeof writtenCopy>;

/** Where an attempt goes on: behind what the catalog has of the copy, without a gap. */
export const resumePoint = z.object({
  nextNumber: z.int().min(1),
  /** Archive bytes in front of that fragment. */
  archiveOffset: z.int().nonnegative(),
  /** Stored bytes of the fragments in front of it, so that a job counts what its image has. */
  storedBytes: z.int().nonnegative().optional(),
});
export type ResumePoint = z.infer<typeof resumePoint>;

/** Images that one image may build on, itself included. */
export const CHAIN_IMAGES_MAX = 100;
/** Listings that an agent is told to keep: for each stream those of two bases, and of what is being made. */
export const KEPT_LISTINGS_MAX = 5 * STREAMS_MAX;
/** Images that one restore may read: the chains of all streams together. */
export const RESTORE_IMAGES_MAX = 500;

export const mediaTask = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('write'),
    ...forAttempt,
    token: dataToken,
    pool: poolName,
    fragmentBytesMax: z.int().positive(),
    image: writtenCopy,
    resume: resumePoint,
  }),
  z.object({
    /** Fills the numbers that a copy lacks from other copies: a duplication, its resumption, a repair. */
    type: z.literal('duplicate'),
    ...forAttempt,
    pool: poolName,
    image: writtenCopy,
    /** How many numbers the copy lacks, for the progress; if left out, what is known so far. */
    missing: z.int().nonnegative().optional(),
    sources: z.array(
      z.object({ mediaId: mediaName, address: dataAddress, tokens: z.array(dataToken) }),
    ),
  }),
  z.object({
    /** Makes a full out of a full and its incrementals, wherever they lie. */
    type: z.literal('synthesize'),
    ...forAttempt,
    pool: poolName,
    fragmentBytesMax: z.int().positive(),
    compressionLevel: z.int(),
    image: writtenCopy,
    resume: resumePoint,
    /** Oldest first: the full, then what builds on it. */
    chain: z.array(imageId).min(2).max(CHAIN_IMAGES_MAX),
    sources: z.array(
      z.object({ mediaId: mediaName, address: dataAddress, tokens: z.array(dataToken) }),
    ),
  }),
  z.object({
    /** Reads every fragment of the image that lies here and compares it with its digest. */
    type: z.literal('verify'),
    ...forAttempt,
    imageId,
    /** All copies, if left out. */
    copy: z.int().min(1).max(10).optional(),
  }),
  z.object({
    type: z.literal('read'),
    ...forAttempt,
    /** One for each connection that may be opened. */
    tokens: z
      .array(dataToken)
      .min(1)
      .max(2 * RESTORE_IMAGES_MAX),
    images: z.array(imageId).min(1).max(RESTORE_IMAGES_MAX),
  }),
  z.object({ type: z.literal('cancel'), ...forAttempt }),
]);
export type MediaTask = z.infer<typeof mediaTask>;

export const agentTask = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('backup'),
    ...forAttempt,
    token: dataToken,
    address: dataAddress,
    imageId,
    kind: imageKind,
    /** The image that an incremental compares with; null for a full. */
    baseImageId: imageId.nullable(),
    /** The image whose listing shows what the base holds, where that is a synthetic full. */
    baseListing: imageId.optional(),
    /**
     * Listings that later incrementals may still ask for; the agent drops others of this policy. Null
     * where it was told a moment ago: it drops nothing.
     */
    keepListings: z.array(imageId).max(KEPT_LISTINGS_MAX).nullable(),
    policy: z.string(),
    schedule: scheduleName.optional(),
    selections: z.array(absolutePath).min(1).max(1_000),
    excludes: z.array(z.string()).max(1_000),
    crossMountPoints: z.boolean(),
    compressionLevel: z.int(),
    /** Scripts of the client's hook folder; each child of a parent job runs them around itself. */
    hooks: jobHooks.optional(),
    /** Null: from the beginning. */
    resume: resumePoint.nullable(),
  }),
  z.object({
    type: z.literal('restore'),
    ...forAttempt,
    sources: z.array(
      z.object({ mediaId: mediaName, address: dataAddress, tokens: z.array(dataToken) }),
    ),
    /** Oldest first: one full, then what builds on it. Of several streams one chain after the other. */
    chain: z.array(imageId).min(1).max(RESTORE_IMAGES_MAX),
    /** How many images of `chain` each stream has; the stream with the newest image comes last. */
    streams: z.array(z.int().min(1)).max(STREAMS_MAX).optional(),
    paths: z.array(pathText).max(1_000),
    destination: absolutePath,
    overwrite: z.boolean(),
  }),
  z.object({ type: z.literal('cancel'), ...forAttempt }),
]);
export type AgentTask = z.infer<typeof agentTask>;

export const mediaTaskMessage = message('hf.int.v1.task.media', ['media', 'job'], {
  description: 'The job manager gives a media server its part of a job',
  schema: mediaTask,
});

export const agentTaskMessage = message('hf.int.v1.task.agent', ['client', 'job'], {
  description: "The job manager gives a client's agent its part of a job",
  schema: agentTask,
});
