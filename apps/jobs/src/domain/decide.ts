import type { Allocation } from '#contracts/broker.js';
import type { TaskResult } from '#contracts/job.js';
import type { BegunImage, ChainImage, Job, Outcome } from './job.js';

/** What can happen to a job. */
export type Input =
  | { readonly type: 'planned'; readonly client: string; readonly chain: readonly ChainImage[] }
  | { readonly type: 'granted'; readonly allocation: Allocation }
  | { readonly type: 'must-wait'; readonly reason: string }
  | { readonly type: 'image-begun'; readonly image: BegunImage }
  | { readonly type: 'reported'; readonly from: Participant; readonly result: TaskResult }
  | { readonly type: 'silent'; readonly from: Participant; readonly started: boolean }
  | { readonly type: 'image-state'; readonly complete: boolean; readonly waitsFor: string }
  | { readonly type: 'refused'; readonly status: number; readonly message: string }
  | { readonly type: 'cancel' }
  | { readonly type: 'released' };

export type Participant = 'media' | 'agent';

/** What the job manager does in the transaction that saves the new state. */
export type Effect =
  | { readonly type: 'send-tasks' }
  | { readonly type: 'cancel-tasks' }
  | {
      readonly type: 'log';
      readonly severity: 'info' | 'warning' | 'error';
      readonly text: string;
    };

export interface Decision {
  readonly job: Job;
  readonly effects: readonly Effect[];
}

const PARTIAL = 1;

/**
 * The next state of a job. Total: an input that comes late, twice or at the wrong step changes
 * nothing, because messages are repeated and participants outlive their attempts.
 */
export function decide(job: Job, input: Input, now: Date): Decision {
  if (job.step === 'done') return same(job);
  switch (input.type) {
    case 'planned':
      return planned(job, input.client, input.chain);
    case 'granted':
      return granted(job, input.allocation, now);
    case 'must-wait':
      return mustWait(job, input.reason);
    case 'image-begun':
      return imageBegun(job, input.image);
    case 'reported':
      return reported(job, input.from, input.result);
    case 'silent':
      return silent(job, input.from, input.started);
    case 'image-state':
      return imageState(job, input.complete, input.waitsFor);
    case 'refused':
      return end(job, { status: input.status, message: input.message });
    case 'cancel':
      return end(job, { status: 150, message: '' });
    case 'released':
      return released(job, now);
    default:
      return input satisfies never;
  }
}

function planned(job: Job, client: string, chain: readonly ChainImage[]): Decision {
  if (job.type !== 'restore' || job.step !== 'planning') return same(job);
  const toClient = job.request.toClient ?? client;
  const names = chain.map((image) => `${image.imageId} (${image.kind})`).join(', ');
  return {
    job: { ...job, step: 'allocating', toClient, chain },
    effects: [info(`restoring from ${names}`), info(requesting({ ...job, chain }))],
  };
}

function granted(job: Job, allocation: Allocation, now: Date): Decision {
  if (allocation.attempt !== job.attempt) return same(job);
  if (job.step === 'running' && allocation.allocationId === job.allocation?.allocationId) {
    return { job: { ...job, allocation }, effects: [] };
  }
  if (job.step !== 'allocating') return same(job);
  const active = { ...job, allocation, waitsFor: '', startedAt: job.startedAt ?? now };
  const lines = allocation.media.map(({ mediaId, address }) =>
    info(
      `granted resource StorageUnit=${allocation.unit ?? '-'};DiskPool=${allocation.pool ?? '-'};` +
        `MediaServer=${mediaId};Address=${address.host}:${address.port}`,
    ),
  );
  if (job.type === 'backup') {
    return { job: { ...active, step: 'beginning' } as Job, effects: lines };
  }
  return {
    job: { ...active, step: 'running' } as Job,
    effects: [...lines, { type: 'send-tasks' }],
  };
}

function mustWait(job: Job, reason: string): Decision {
  if (job.step !== 'allocating' || job.waitsFor === reason) return same(job);
  return { job: { ...job, waitsFor: reason }, effects: [info(`waiting: ${reason}`)] };
}

function imageBegun(job: Job, image: BegunImage): Decision {
  if (job.type !== 'backup' || job.step !== 'beginning') return same(job);
  const became =
    image.kind === job.request.kind
      ? []
      : [info('there is no earlier backup to build on: this one becomes a full')];
  const base = image.baseImageId ? `, since ${image.baseImageId}` : '';
  return {
    job: { ...job, step: 'running', image },
    effects: [
      ...became,
      info(`image ${image.imageId} (${image.kind}${base})`),
      { type: 'send-tasks' },
    ],
  };
}

function reported(job: Job, from: Participant, result: TaskResult): Decision {
  if (job.step !== 'running' || job.results[from]) return same(job);
  const next = { ...job, results: { ...job.results, [from]: result } } as Job;
  if (result.status > PARTIAL) return end(next, result);
  if (job.type === 'restore') {
    return from === 'agent' ? end(next, result) : { job: next, effects: [] };
  }
  const both = next.results.media && next.results.agent;
  return { job: both ? ({ ...next, step: 'verifying' } as Job) : next, effects: [] };
}

function silent(job: Job, from: Participant, started: boolean): Decision {
  if (job.step !== 'running') return same(job);
  if (from === 'agent') {
    return end(job, {
      status: started ? 50 : 49,
      message: started
        ? 'The agent has fallen silent.'
        : 'The agent did not take its task in time.',
    });
  }
  return end(job, { status: 82, message: 'The media server has fallen silent.' });
}

function imageState(job: Job, complete: boolean, waitsFor: string): Decision {
  if (job.type !== 'backup' || job.step !== 'verifying') return same(job);
  if (!complete) {
    return { job: { ...job, waitsFor }, effects: [] };
  }
  const { status, message } = job.results.agent!;
  const verified = { ...job, waitsFor: '' };
  const decision = end(verified, { status, message });
  return { ...decision, effects: [info('image verified with the catalog'), ...decision.effects] };
}

/** Heads for the end: gives everything back first. The first outcome counts. */
function end(job: Job, outcome: Outcome): Decision {
  if (job.step === 'releasing') return same(job);
  const ran = job.step === 'running';
  const failed = outcome.status > PARTIAL;
  const lines: Effect[] =
    failed && outcome.message ? [{ type: 'log', severity: 'error', text: outcome.message }] : [];
  return {
    job: {
      ...job,
      step: 'releasing',
      outcome: { status: outcome.status, message: outcome.message },
      waitsFor: '',
    },
    effects: ran ? [...lines, { type: 'cancel-tasks' }] : lines,
  };
}

function released(job: Job, now: Date): Decision {
  if (job.step !== 'releasing') return same(job);
  return { job: { ...job, step: 'done', endedAt: now, allocation: null }, effects: [] };
}

/** The line that a job logs when it asks the broker. */
export function requesting(job: Job): string {
  if (job.type === 'backup') return `requesting resource ${job.request.storage}`;
  const media = new Set(job.chain.flatMap((image) => image.media));
  return `requesting resource ${[...media].join(', ')}`;
}

function info(text: string): Effect {
  return { type: 'log', severity: 'info', text };
}

function same(job: Job): Decision {
  return { job, effects: [] };
}
