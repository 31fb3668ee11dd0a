import type { Allocation } from '#contracts/broker.js';
import { backupRequest, duplicateRequest, restoreRequest, verifyRequest } from '#contracts/job.js';
import { decide } from '../domain/decide.js';
import {
  backupDraft,
  backupDrafts,
  duplicateDraft,
  restoreDraft,
  verifyDraft,
} from '../domain/draft.js';
import type { Input } from '../domain/input.js';
import type { Backoff, BegunCopy, BegunImage, Job, ParentJob } from '../domain/job.js';

export const NOW = new Date('2026-01-01T00:00:00Z');

export const BACKOFF: Backoff = { firstMs: 5_000, factor: 3, maxMs: 60_000, drainsMax: 3 };

export const backup = {
  ...backupDraft(backupRequest.parse({ client: 'web1', selections: ['/etc'] }), BACKOFF),
  job: 7,
};

export const restore = {
  ...restoreDraft(
    restoreRequest.parse({ source: { imageId: 'web1_1' }, destination: '/tmp/r' }),
    BACKOFF,
  ),
  job: 7,
};

export const duplicate = {
  ...duplicateDraft(duplicateRequest.parse({ imageId: 'web1_1', toPool: 'offsite' }), BACKOFF),
  job: 7,
};

export const verify = {
  ...verifyDraft(verifyRequest.parse({ imageId: 'web1_1' }), BACKOFF),
  job: 7,
};

/** Of two streams, whose children are the jobs 8 and 9. */
export const parent = {
  ...(backupDrafts(
    backupRequest.parse({ client: 'web1', selections: ['/'], streams: [['/a'], ['/b']] }),
    BACKOFF,
  ).job as ParentJob),
  job: 7,
};

export function allocationOf(attempt: number, ...media: readonly string[]): Allocation {
  return {
    allocationId: `0190a0a0-0000-7000-8000-00000000000${attempt}`,
    ...{ job: 7, attempt, purpose: 'write', client: 'web1' },
    ...{ unit: 'default', pool: 'main', fragmentBytesMax: 1e9 },
    media: media.map((mediaId) => ({ mediaId, address: { host: '127.0.0.1', port: 9 } })),
    grantedAt: NOW.toISOString(),
    leaseUntil: NOW.toISOString(),
  };
}

const details = {
  ...{ job: 7, schedule: 'user', retention: '14d', selections: ['/etc'], baseImageId: null },
};

export function imageOf(nextNumber = 1, copyAttempt = 1): BegunImage {
  return {
    ...{ imageId: 'web1_1', backupTime: 1, copy: 1, copyAttempt, kind: 'full' },
    ...{ baseImageId: null, keepListings: [] },
    ...{ nextNumber, archiveOffset: (nextNumber - 1) * 100, storedBytes: (nextNumber - 1) * 50 },
    details,
  };
}

export function copyOf(missing: number, sources: string[] = ['m1']): BegunCopy {
  return {
    ...{ imageId: 'web1_1', copy: 2, copyAttempt: 1, client: 'web1', policy: 'p', kind: 'full' },
    ...{ backupTime: 1, details, fragments: 7, missing, sources },
  };
}

const OK = { status: 0, message: '', fragments: 1, files: 2, bytes: 3 };

/** What the steps of a job are answered, in the attempt that is given. */
export function answers(attempt = 1) {
  const granted = (...media: string[]): Input => ({
    ...{ type: 'granted', attempt, allocation: allocationOf(attempt, ...media) },
  });
  const reported = (from: 'media' | 'agent', result: object = {}, instance = 'm1'): Input => ({
    ...{ type: 'reported', attempt, from, instance, result: { ...OK, ...result } },
  });
  return {
    planned: { type: 'planned', attempt, client: 'web1', chain: [] } as Input,
    located: (...sources: string[]): Input => ({ type: 'located', attempt, sources }),
    granted,
    begun: (image = imageOf()): Input => ({ type: 'image-begun', attempt, image }),
    copyBegun: (copy = copyOf(7)): Input => ({ type: 'copy-begun', attempt, copy }),
    pinned: { type: 'pinned', attempt, fragments: 3 } as Input,
    reported,
    media: reported('media'),
    agent: reported('agent'),
    complete: { type: 'image-state', attempt, complete: true, waitsFor: '' } as Input,
    waiting: { type: 'image-state', attempt, complete: false, waitsFor: 'fragment 3' } as Input,
    silent: (from: 'media' | 'agent', started = true, instance = 'm1'): Input => ({
      ...{ type: 'silent', attempt, from, instance, heard: started ? 1 : 0 },
    }),
    weighed: (committed: number): Input => ({ type: 'weighed', attempt, committed }),
    letGo: { type: 'let-go', attempt } as Input,
    drained: (open: number | null = 0): Input => ({ type: 'drained', attempt, open }),
    released: { type: 'released', attempt } as Input,
  };
}

/** The job after inputs that come at their own moments or, if none is given, at `NOW`. */
export function after(job: Job, ...inputs: readonly (Input | [Input, Date])[]): Job {
  return inputs.reduce<Job>((state, one) => {
    const [input, at] = Array.isArray(one) ? one : [one, NOW];
    return decide(state, input, at).job;
  }, job);
}

export function later(ms: number): Date {
  return new Date(NOW.getTime() + ms);
}

/** The texts that a decision logs. */
export function logOf(job: Job, input: Input, at = NOW): string {
  const { effects } = decide(job, input, at);
  return effects.flatMap((effect) => (effect.type === 'log' ? [effect.text] : [])).join('\n');
}
