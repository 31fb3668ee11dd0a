import type { AgentTask, MediaTask } from '#contracts/task.js';
import { clientOf, type BackupJob, type Job, type RestoreJob } from './job.js';
import { assert } from '#kernel/assert.js';

export interface Tasks {
  readonly media: readonly { readonly mediaId: string; readonly task: MediaTask }[];
  readonly agent: { readonly client: string; readonly task: AgentTask };
}

/** Index and data of an image are read side by side. */
const CONNECTIONS_PER_IMAGE = 2;

/** What each participant is told. Both halves share one-time tokens that nobody else knows. */
export function tasksOf(job: Job, newToken: () => string): Tasks {
  return job.type === 'backup' ? backupTasks(job, newToken()) : restoreTasks(job, newToken);
}

/** Tells the participants that the attempt is over: they stop and forget their tokens. */
export function cancelTasks(job: Job): Tasks {
  const task = { type: 'cancel' as const, job: job.job, attempt: job.attempt };
  const media = job.allocation?.media ?? [];
  return {
    media: media.map(({ mediaId }) => ({ mediaId, task })),
    agent: { client: clientOf(job), task },
  };
}

function backupTasks(job: BackupJob, token: string): Tasks {
  const { allocation, image, request } = job;
  const media = allocation?.media[0];
  assert(allocation && image && media, `job ${job.job} runs without an allocation or an image`);
  assert(allocation.pool && allocation.fragmentBytesMax, `job ${job.job} writes to no pool`);
  const attempt = { job: job.job, attempt: job.attempt, token };
  return {
    media: [
      {
        mediaId: media.mediaId,
        task: {
          type: 'write',
          ...attempt,
          pool: allocation.pool,
          fragmentBytesMax: allocation.fragmentBytesMax,
          image: {
            imageId: image.imageId,
            copy: image.copy,
            copyAttempt: image.copyAttempt,
            client: request.client,
            policy: request.policy,
            kind: image.kind,
            backupTime: image.backupTime,
            details: image.details,
          },
          resume: { nextNumber: image.nextNumber, archiveOffset: image.archiveOffset },
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
        keepListings: [...image.keepListings],
        policy: request.policy,
        selections: request.selections,
        excludes: request.excludes,
        crossMountPoints: request.crossMountPoints,
        compressionLevel: request.compressionLevel,
        resume: null,
      },
    },
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
        paths: job.request.paths,
        destination: job.request.destination,
        overwrite: job.request.overwrite,
      },
    },
  };
}
