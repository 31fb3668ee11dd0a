import type { Allocation } from '#contracts/broker.js';
import type { TaskResult } from '#contracts/job.js';
import { STATUS } from '#kernel/status.js';
import {
  cannotWeigh,
  drained,
  end,
  letGo,
  run,
  weighed,
  windowClosed,
} from './attempts/attempt.js';
import { goOn, resume, suspend, waitedOut } from './attempts/pause.js';
import { backupReported, imageBegun, imageCounted, synthesisPlanned } from './backup.js';
import { copyBegun, copyCounted, duplicateReported } from './duplicate.js';
import { verdictOf } from './command.js';
import {
  info,
  same,
  warning,
  type Decision,
  type Decree,
  type Input,
  type InputOfType,
  type Participant,
} from './input.js';
import { changed, isSynthetic, type Job, type RestoreJob } from './job.js';
import { clockText, grantedLines, requestingLine } from './log-lines.js';
import { gathered } from './parent.js';
import { awaited, isOneOf, voiceOf } from './participants.js';
import { verifyReported } from './verify.js';

/**
 * The next state of a job. Total: an input that comes late, twice or at the wrong step changes
 * nothing, because messages are repeated and participants outlive their attempts.
 */
export function decide(job: Job, input: Input, now: Date): Decision {
  if (job.step === 'done') return same(job);
  if (!('attempt' in input)) return decreed(job, input, now);
  if (input.attempt !== job.attempt) return same(job);
  if (input.type === 'unanswered') return unanswered(job, input, now);
  const decision = heard(job, input, now);
  const isTroubled = decision.job.trouble !== '' && !('from' in input);
  // Whoever was missed has answered.
  return isTroubled ? { ...decision, job: changed(decision.job, { trouble: '' }) } : decision;
}

type Heard = Exclude<Input, Decree | { readonly type: 'unanswered' }>;

function heard(job: Job, input: Heard, now: Date): Decision {
  switch (input.type) {
    case 'planned':
      if (isSynthetic(job)) return synthesisPlanned(job, input.chain);
      return job.type === 'restore' ? restorePlanned(job, input) : same(job);
    case 'located':
      return located(job, input.sources);
    case 'granted':
      return granted(job, input.allocation, now);
    case 'must-wait':
      return mustWait(job, input);
    case 'image-begun':
      return job.type === 'backup' ? imageBegun(job, input.image, now) : same(job);
    case 'copy-begun':
      return job.type === 'duplicate' ? copyBegun(job, input.copy, now) : same(job);
    case 'pinned':
      return pinned(job, input.fragments, now);
    case 'reported':
      return reported(job, input, now);
    case 'silent':
      // What it said may have waited to be written down, as this input has.
      if ((job.heard[voiceOf(input)] ?? 0) > input.heard) return same(job);
      return reported(job, { ...input, result: silence(input) }, now);
    case 'image-state':
      return counted(job, input, now);
    case 'let-go':
      return letGo(job);
    case 'drained':
      return drained(job, input.open, now);
    case 'weighed':
      return weighed(job, input.committed, now);
    case 'refused':
      return refused(job, input, now);
    case 'released':
      return released(job, input, now);
    default:
      return input satisfies never;
  }
}

function decreed(job: Job, input: Decree, now: Date): Decision {
  switch (input.type) {
    case 'cancel':
    case 'suspend':
    case 'resume':
      return commanded(job, input.type, now);
    case 'continue':
      return goOn(job, input, now);
    case 'priority':
      return reprioritized(job, input.priority);
    case 'window-closed':
      return windowClosed(job, now);
    case 'waited-out':
      return job.step === input.step ? waitedOut(job, now) : same(job);
    case 'children':
      return job.type === 'parent' ? gathered(job, input.children, now) : same(job);
    default:
      return input satisfies never;
  }
}

function commanded(job: Job, command: 'cancel' | 'suspend' | 'resume', now: Date): Decision {
  if (verdictOf(job, command) !== 'does') return same(job);
  if (job.type === 'parent') {
    const isCancelled = job.isCancelled || command === 'cancel';
    return {
      job: { ...job, isCancelled },
      effects: [info(`${command}: handed on to the children`)],
    };
  }
  switch (command) {
    case 'cancel':
      return end(job, { status: STATUS.cancelled, message: '' }, now);
    case 'suspend':
      return suspend(job, now);
    case 'resume':
      return resume(job, now);
    default:
      return command satisfies never;
  }
}

function reprioritized(job: Job, priority: number): Decision {
  if (verdictOf(job, 'priority') !== 'does' || job.priority === priority) return same(job);
  const line = info(`priority ${priority}, was ${job.priority}`);
  return { job: changed(job, { priority }), effects: [line] };
}

/** Shown with the job. It goes on by itself when the answer comes; whoever waits may cancel it. */
function unanswered(job: Job, input: InputOfType<'unanswered'>, now: Date): Decision {
  if (job.step !== input.step) return same(job);
  if (job.step === 'weighing') return cannotWeigh(job, now);
  return job.trouble === input.message
    ? same(job)
    : { job: changed(job, { trouble: input.message }), effects: [info(input.message)] };
}

function refused(job: Job, { step, status, message }: InputOfType<'refused'>, now: Date): Decision {
  if (job.step !== step) return same(job);
  return step === 'weighing' ? cannotWeigh(job, now) : end(job, { status, message }, now);
}

function restorePlanned(
  job: RestoreJob,
  { client, chain, missingStreams = 0 }: InputOfType<'planned'>,
): Decision {
  if (job.step !== 'planning') return same(job);
  const toClient = job.request.toClient ?? client;
  const names = chain.map((image) => `${image.imageId} (${image.kind})`).join(', ');
  const planned: RestoreJob = { ...job, step: 'allocating', toClient, chain };
  const lines = [info(`restoring from ${names}`), info(requestingLine(planned))];
  if (missingStreams === 0) return { job: planned, effects: lines };
  return {
    job: { ...planned, missingStreams },
    effects: [warning(missingText(missingStreams)), ...lines],
  };
}

/** What the agent was given is not all that the client held: that is no full success. */
function restoreReported(job: RestoreJob, result: TaskResult, now: Date): Decision {
  const { missingStreams = 0 } = job;
  if (missingStreams === 0 || result.status > STATUS.partial) return end(job, result, now);
  const message = [result.message, missingText(missingStreams)].filter(Boolean).join(' ');
  return end(job, { status: STATUS.partial, message }, now);
}

function missingText(streams: number): string {
  const what = streams === 1 ? '1 stream of that run has' : `${streams} streams of that run have`;
  return `${what} no complete image of that time or before it: nothing of it is restored.`;
}

function located(job: Job, sources: readonly string[]): Decision {
  if (job.step !== 'planning' || (job.type !== 'duplicate' && job.type !== 'verify')) {
    return same(job);
  }
  const next = { ...changed(job, { step: 'allocating' }), sources };
  return { job: next, effects: [info(requestingLine(next))] };
}

function granted(job: Job, allocation: Allocation, now: Date): Decision {
  if (allocation.attempt !== job.attempt) return same(job);
  if (job.step === 'running' && allocation.allocationId === job.allocation?.allocationId) {
    return { job: changed(job, { allocation, leasedAt: now }), effects: [] };
  }
  if (job.step !== 'allocating') return same(job);
  const startedAt = job.startedAt ?? now;
  return {
    job: changed(job, {
      ...{ step: 'beginning', allocation, leasedAt: now, startedAt, waitsFor: '', wait: '' },
    }),
    effects: grantedLines(job, allocation).map(info),
  };
}

function mustWait(job: Job, { reason, wait = 'turn' }: InputOfType<'must-wait'>): Decision {
  if (job.step !== 'allocating') return same(job);
  if (job.waitsFor === reason && job.wait === wait) return same(job);
  const lines = job.waitsFor === reason ? [] : [info(`waiting: ${reason}`)];
  return { job: changed(job, { waitsFor: reason, wait }), effects: lines };
}

/** What is going to be read cannot be deleted any more. */
function pinned(job: Job, fragments: number, now: Date): Decision {
  if (job.step !== 'beginning' || (job.type !== 'restore' && job.type !== 'verify')) {
    return same(job);
  }
  return run(job, now, [info(`${fragments} fragments are held for reading`)]);
}

function reported(
  job: Job,
  input: Participant & { readonly result: TaskResult },
  now: Date,
): Decision {
  const voice = voiceOf(input);
  if (job.step !== 'running' || job.results[voice] || !isOneOf(awaited(job), input)) {
    return same(job);
  }
  const result = stoppedOrResult(input);
  const next = changed(job, { results: { ...job.results, [voice]: result } });
  switch (next.type) {
    case 'backup':
      return backupReported(next, result, now);
    case 'parent':
      return same(job);
    case 'restore':
      return restoreReported(next, result, now);
    case 'duplicate':
      return duplicateReported(next, result, now);
    case 'verify':
      return verifyReported(next, now);
    default:
      return next satisfies never;
  }
}

/** 150 is for jobs that somebody cancelled; a participant that says so was stopped itself. */
function stoppedOrResult({ from, result }: { from: string; result: TaskResult }): TaskResult {
  if (result.status !== STATUS.cancelled) return result;
  return from === 'agent'
    ? { status: STATUS.clientAborted, message: 'The agent was stopped.' }
    : { status: STATUS.mediaManagerKilled, message: 'The media server was stopped.' };
}

function silence({ from, instance, heard: last }: InputOfType<'silent'>): TaskResult {
  if (from === 'media') {
    return {
      status: STATUS.mediaManagerKilled,
      message: `The media server ${instance} has fallen silent.`,
    };
  }
  return last > 0
    ? { status: STATUS.clientAborted, message: 'The agent has fallen silent.' }
    : { status: STATUS.clientNotStarted, message: 'The agent did not take its task in time.' };
}

function counted(job: Job, state: InputOfType<'image-state'>, now: Date): Decision {
  if (job.step !== 'verifying') return same(job);
  if (job.type === 'backup') return imageCounted(job, state, now);
  return job.type === 'duplicate' ? copyCounted(job, state, now) : same(job);
}

function released(job: Job, { owed = [] }: InputOfType<'released'>, now: Date): Decision {
  if (job.step !== 'releasing') return same(job);
  const elapsed = clockText(now.getTime() - (job.startedAt ?? now).getTime());
  const title = { duplicate: 'Duplicate', verify: 'Verify', backup: '', restore: '', parent: '' }[
    job.type
  ];
  const effects = title ? [info(`end ${title}; elapsed time ${elapsed}`)] : [];
  if (owed.length > 0) effects.push(info(`to be given back later: ${owed.join(', ')}`));
  const done = { step: 'done', endedAt: now, allocation: null, owed, trouble: '' } as const;
  return { job: changed(job, done), effects };
}
