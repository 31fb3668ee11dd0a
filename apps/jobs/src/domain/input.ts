import type { Allocation } from '#contracts/broker.js';
import type { WaitReason } from '#contracts/broker/wait-reason.js';
import type { JobProgress, JobState, TaskResult } from '#contracts/job.js';
import type { BegunCopy, BegunImage, ImageOfChain, Debt, Job, OutOfTries, Step } from './job.js';

/** Of which attempt an answer or a report is. One of another attempt than the job's is not heard. */
interface OfAttempt {
  readonly attempt: number;
}

/** One of those who work for a job: the client's agent, or one of its media servers. */
export interface Participant {
  readonly from: 'media' | 'agent';
  /** The media server's id, or the client's name. */
  readonly instance: string;
}

/** What a parent knows of a child. */
export interface Child {
  readonly job: number;
  readonly state: JobState;
  /** Null until it is done. */
  readonly status: number | null;
  readonly hasStarted: boolean;
  readonly outOfTries: OutOfTries | null;
  readonly progress: JobProgress;
}

/** What the job manager asked for, and what came back. */
export type Answer =
  | {
      readonly type: 'planned';
      readonly client: string;
      readonly chain: readonly ImageOfChain[];
      /** Streams of the run of which there is no image; of a restore by time. */
      readonly missingStreams?: number | undefined;
    }
  /** The media servers that hold the image of a duplication or verification. */
  | { readonly type: 'located'; readonly sources: readonly string[] }
  | { readonly type: 'granted'; readonly allocation: Allocation }
  | { readonly type: 'must-wait'; readonly reason: string; readonly wait?: WaitReason | undefined }
  | { readonly type: 'image-begun'; readonly image: BegunImage }
  | { readonly type: 'copy-begun'; readonly copy: BegunCopy }
  | { readonly type: 'pinned'; readonly fragments: number }
  /** Of the image of a backup, or of the copy of a duplication. */
  | {
      readonly type: 'image-state';
      readonly complete: boolean;
      readonly waitsFor: string;
      /** Fragments of a backup that are not committed, or not any more. */
      readonly uncommitted?: number | undefined;
    }
  /** The broker has the resources of a failed attempt back. */
  | { readonly type: 'let-go' }
  /** Sealed fragments without a verdict; null when the media server cannot be reached. */
  | { readonly type: 'drained'; readonly open: number | null }
  /** Fragments that the catalog has of what a job without tries has written. */
  | { readonly type: 'weighed'; readonly committed: number }
  | {
      readonly type: 'refused';
      readonly step: Step;
      readonly status: number;
      readonly message: string;
    }
  /** What is owed was not taken back by anybody yet. */
  | { readonly type: 'released'; readonly owed?: readonly Debt[] };

/** What can happen to a job. */
export type Input =
  | (Answer & OfAttempt)
  | (Participant & OfAttempt & { readonly type: 'reported'; readonly result: TaskResult })
  /** `heard` is when it last spoke, as far as was known: in ms since 1970, 0 if not in this attempt. */
  | (Participant & OfAttempt & { readonly type: 'silent'; readonly heard: number })
  /** Nobody has answered the question of this step for some time; `message` says who. */
  | (OfAttempt & { readonly type: 'unanswered'; readonly step: Step; readonly message: string })
  | Decree;

/** What comes from a person, or with the time, whichever attempt the job is in. */
export type Decree =
  | { readonly type: 'cancel' }
  | { readonly type: 'suspend' }
  | { readonly type: 'resume' }
  /** The retry rule of its policy allows another round until then, unless it has failed since. */
  | { readonly type: 'continue'; readonly failedAt: Date; readonly closesAt: Date | null }
  | { readonly type: 'priority'; readonly priority: number }
  /** The start window has closed. */
  | { readonly type: 'window-closed' }
  /** A job has stood still at this step for as long as it may. */
  | { readonly type: 'waited-out'; readonly step: Step }
  /** How the children of a parent are now. */
  | { readonly type: 'children'; readonly children: readonly Child[] };

export type InputOfType<T extends Input['type']> = Extract<Input, { readonly type: T }>;

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

export function same(job: Job): Decision {
  return { job, effects: [] };
}

export function info(text: string): Effect {
  return { type: 'log', severity: 'info', text };
}

export function warning(text: string): Effect {
  return { type: 'log', severity: 'warning', text };
}

export function failure(text: string): Effect {
  return { type: 'log', severity: 'error', text };
}
