import { z } from 'zod';
import { message } from './contract.js';
import {
  absolutePath,
  clientName,
  dataAddress,
  dataToken,
  imageId,
  imageKind,
  jobNumber,
  mediaName,
  pathText,
  poolName,
} from './names.js';

const forAttempt = { job: jobNumber, attempt: z.int().min(1) };

/** Images that one restore may build on. */
export const CHAIN_IMAGES_MAX = 100;

export const mediaTask = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('write'),
    ...forAttempt,
    token: dataToken,
    pool: poolName,
    fragmentBytesMax: z.int().positive(),
    image: z.object({
      imageId,
      copy: z.int().min(1).max(10),
      /** The fence of (image, copy). */
      copyAttempt: z.int().min(1),
      client: clientName,
      policy: z.string(),
      kind: imageKind,
      backupTime: z.int(),
    }),
  }),
  z.object({
    type: z.literal('read'),
    ...forAttempt,
    /** One for each connection that may be opened. */
    tokens: z
      .array(dataToken)
      .min(1)
      .max(2 * CHAIN_IMAGES_MAX),
    images: z.array(imageId).min(1).max(CHAIN_IMAGES_MAX),
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
    /** Listings that later incrementals may still ask for; the agent drops others of this policy. */
    keepListings: z.array(imageId).max(CHAIN_IMAGES_MAX),
    policy: z.string(),
    selections: z.array(absolutePath).min(1).max(1_000),
    excludes: z.array(z.string()).max(1_000),
    crossMountPoints: z.boolean(),
    compressionLevel: z.int(),
  }),
  z.object({
    type: z.literal('restore'),
    ...forAttempt,
    sources: z.array(
      z.object({ mediaId: mediaName, address: dataAddress, tokens: z.array(dataToken) }),
    ),
    /** Oldest first: one full, then what builds on it. */
    chain: z.array(imageId).min(1).max(CHAIN_IMAGES_MAX),
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
