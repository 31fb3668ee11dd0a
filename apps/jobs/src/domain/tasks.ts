import type { BackupRequest } from '#contracts/job.js';
import type { AgentTask, MediaTask, ResumePoint, WrittenCopy } from '#contracts/task.js';
import { assert } from '#kernel/assert.js';
import {
  clientOf,
  isSynthetic,
  type BackupJob,
  type BegunImage,
  type DuplicateJob,
  type Job,
  type RestoreJob,
  type VerifyJob,
} from './job.js';
import { hasAgent } from './participants.js';

export interface Tasks {
  readonly media: readonly { readonly mediaId: string; readonly task: MediaTask }[];
  /** Null for what media servers do among themselves. */
  readonly agent: { readonly client: string; readonly task: AgentTask } | null;
}

/** Index and data of an image are read side by side. */
const CONNECTIONS_PER_IMAGE = 2;
/** Connections that a duplication may open to each server that it reads from. */
const CONNECTIONS_PER_SOURCE = 4;

/** What each participant is told. Both halves share one-time tokens that nobody else knows. */
export function tasksOf(job: Job, newToken: () => string): Tasks {
  switch (job.type) {
    case 'backup':
      return isSynthetic(job) ? synthesisTasks(job, newToken) : backupTasks(job, newToken());
    case 'restore':
      return restoreTasks(job, newToken);
    case 'duplicate':
      return duplicateTasks(job, newToken);
    case 'verify':
      return verifyTasks(job);
    case 'parent':
      return { media: [], agent: null };
    default:
      return job satisfies never;
  }
}

/** Tells the participants that the attempt is over: they stop and forget their tokens. */
export function cancelTasks(job: Job): Tasks {
  const task = { type: 'cancel' as const, job: job.job, attempt: job.attempt };
  const media = job.allocation?.media ?? [];
  return {
    media: media.map(({ mediaId }) => ({ mediaId, task })),
    agent: hasAgent(job) ? { client: clientOf(job), task } : null,
  };
}

function backupTasks(job: BackupJob, token: string): Tasks {
  const { allocation, image, request } = job;
  const media = allocation?.media[0];
  assert(allocation && image && media, `job ${job.job} runs without an allocation or an image`);
  assert(allocation.pool && allocation.fragmentBytesMax, `job ${job.job} writes to no pool`);
  const attempt = { job: job.job, attempt: job.attempt, token };
  const resume = resumePointOf(image);
  return {
    media: [
      {
        mediaId: media.mediaId,
        task: {
          type: 'write',
          ...attempt,
          pool: allocation.pool,
          fragmentBytesMax: allocation.fragmentBytesMax,
          image: writtenCopy(image, request),
          resume,
        },
      },
    ],
    agent: {
      client: request.client,
      task: {
        type: 'backup',
        ...attempt,
        address: media.address,
        imageId: image.imageId,
        kind: image.kind,
        baseImageId: image.baseImageId,
        ...(image.baseListing ? { baseListing: image.baseListing } : {}),
        keepListings: image.keepListings && [...image.keepListings],
        policy: request.policy,
        schedule: request.schedule,
        selections: request.selections,
        excludes: request.excludes,
        crossMountPoints: request.crossMountPoints,
        compressionLevel: request.compressionLevel,
        resume: image.nextNumber > 1 ? resume : null,
        ...(request.hooks ? { hooks: request.hooks } : {}),
      },
    },
  };
}

function resumePointOf({ nextNumber, archiveOffset, storedBytes }: BegunImage): ResumePoint {
  return { nextNumber, archiveOffset, ...(storedBytes !== undefined && { storedBytes }) };
}

function writtenCopy(image: BegunImage, { client, policy }: BackupRequest): WrittenCopy {
  const { imageId, copy, copyAttempt, kind, backupTime, details } = image;
  return { imageId, copy, copyAttempt, client, policy, kind, backupTime, details };
}

/** The server that writes reads what lies elsewhere through the others. */
function synthesisTasks(job: BackupJob, newToken: () => string): Tasks {
  const { allocation, image, request, chain } = job;
  const writer = allocation?.media[0];
  assert(allocation && image && writer, `job ${job.job} runs without an allocation or an image`);
  assert(allocation.pool && allocation.fragmentBytesMax, `job ${job.job} writes to no pool`);
  const attempt = { job: job.job, attempt: job.attempt };
  const sources = allocation.media.slice(1).map(({ mediaId, address }) => {
    const tokens = Array.from({ length: CONNECTIONS_PER_SOURCE }, newToken);
    return { mediaId, address, tokens };
  });
  const images = chain.map(({ imageId }) => imageId);
  return {
    media: [
      ...sources.map(({ mediaId, tokens }) => ({
        mediaId,
        task: { type: 'read' as const, ...attempt, tokens, images },
      })),
      {
        mediaId: writer.mediaId,
        task: {
          type: 'synthesize',
          ...attempt,
          pool: allocation.pool,
          fragmentBytesMax: allocation.fragmentBytesMax,
          compressionLevel: request.compressionLevel,
          image: writtenCopy(image, request),
          resume: resumePointOf(image),
          chain: images,
          sources,
        },
      },
    ],
    agent: null,
  };
}

function restoreTasks(job: RestoreJob, newToken: () => string): Tasks {
  assert(job.allocation, `job ${job.job} runs without an allocation`);
  const attempt = { job: job.job, attempt: job.attempt };
  const sources = job.allocation.media.map(({ mediaId, address }) => {
    const images = job.chain.filter((image) => image.media.includes(mediaId));
    const tokens = Array.from({ length: images.length * CONNECTIONS_PER_IMAGE }, newToken);
    return { mediaId, address, tokens, images: images.map(({ imageId }) => imageId) };
  });
  return {
    media: sources.map(({ mediaId, tokens, images }) => ({
      mediaId,
      task: { type: 'read', ...attempt, tokens, images },
    })),
    agent: {
      client: clientOf(job),
      task: {
        type: 'restore',
        ...attempt,
        sources: sources.map(({ mediaId, address, tokens }) => ({ mediaId, address, tokens })),
        chain: job.chain.map(({ imageId }) => imageId),
        ...streamsOf(job),
        paths: job.request.paths,
        destination: job.request.destination,
        overwrite: job.request.overwrite,
      },
    },
  };
}

/** How many images of the chain each stream has, where there are several. */
function streamsOf({ chain }: RestoreJob): { streams?: number[] } {
  const counts = new Map<number, number>();
  for (const { stream = 0 } of chain) counts.set(stream, (counts.get(stream) ?? 0) + 1);
  return counts.size > 1 ? { streams: [...counts.values()] } : {};
}

/** The server that writes gets its sources in the catalog's order; its own volumes need no token. */
function duplicateTasks(job: DuplicateJob, newToken: () => string): Tasks {
  const { allocation, copy } = job;
  const writer = allocation?.media[0];
  assert(allocation && copy && writer, `job ${job.job} runs without an allocation or a copy`);
  assert(allocation.pool, `job ${job.job} writes to no pool`);
  const attempt = { job: job.job, attempt: job.attempt };
  const others = new Map(allocation.media.slice(1).map((one) => [one.mediaId, one.address]));
  const sources = copy.sources.flatMap((mediaId) => {
    const address = others.get(mediaId);
    if (!address) return [];
    const tokens = Array.from({ length: CONNECTIONS_PER_SOURCE }, newToken);
    return [{ mediaId, address, tokens }];
  });
  const { imageId, copyAttempt, client, policy, kind, backupTime, details } = copy;
  const image = {
    ...{ imageId, copy: copy.copy, copyAttempt },
    ...{ client, policy, kind, backupTime, details },
  };
  return {
    media: [
      ...sources.map(({ mediaId, tokens }) => ({
        mediaId,
        task: { type: 'read' as const, ...attempt, tokens, images: [imageId] },
      })),
      {
        mediaId: writer.mediaId,
        task: {
          ...{ type: 'duplicate', ...attempt, pool: allocation.pool },
          ...{ image, missing: copy.missing, sources },
        },
      },
    ],
    agent: null,
  };
}

function verifyTasks(job: VerifyJob): Tasks {
  assert(job.allocation, `job ${job.job} runs without an allocation`);
  const { imageId, copy } = job.request;
  const what = { imageId, ...(copy === undefined ? {} : { copy }) };
  return {
    media: job.allocation.media.map(({ mediaId }) => ({
      mediaId,
      task: { type: 'verify', job: job.job, attempt: job.attempt, ...what },
    })),
    agent: null,
  };
}
