import type { FragmentEvidence } from './evidence.js';

/** A fsync that is left out on purpose, and where. */
export interface Sabotage {
  /** A regular expression for the paths of files (or folders) whose syncs do nothing. */
  readonly skipSyncOf: string;
}

/** What a job was told to back up; its image has to come back as exactly that. */
export interface Expectation {
  readonly job: number;
  readonly selection: string;
  readonly generation: number;
}

/** An image of the catalog, by what a restore of it needs. */
export interface ImageEvidence {
  readonly imageId: string;
  readonly job: number;
  readonly state: string;
}

/** A job that ended with a status other than 0. That is nothing wrong by itself. */
export interface FailedJob {
  readonly job: number;
  readonly status: number;
  readonly message: string;
}

/** Everything that three witnesses say: catalog, journals and media. */
export interface Survey {
  readonly images: readonly ImageEvidence[];
  readonly fragments: readonly FragmentEvidence[];
  readonly failedJobs: readonly FailedJob[];
  /** In words, differences that the catalog's own reconciliation would still have to settle. */
  readonly unsettled: readonly string[];
  /** Bytes that were read back from the media. */
  readonly bytesRead: number;
}

/** What the host may ask of a guest, with what comes back. */
export interface Calls {
  hello: { request: Record<string, never>; answer: Record<string, never> };
  /** Starts `holdfast up`; answered when it is ready. */
  start: { request: { sabotage?: Sabotage }; answer: { seconds: number } };
  /** Makes what the workloads need, once: storage units. */
  furnish: { request: Record<string, never>; answer: Record<string, never> };
  /** Runs a workload to its end. */
  work: {
    request: { workload: string; generation: number; chance: number };
    /** What a service refused to do, and why; empty where it did everything. That is nothing wrong by itself. */
    answer: { refused: string };
  };
  /** Waits until every sealed fragment has a verdict and, with `idle`, until no job is under way. */
  heal: { request: { idle: boolean; msMax: number }; answer: { seconds: number; note: string } };
  survey: { request: Record<string, never>; answer: Survey };
  /** Restores an image and compares it; in words, what differs. */
  restore: {
    request: { imageId: string; expectation: Expectation };
    answer: { differences: string[] };
  };
  /** Ends the set-up: stops everything politely and lays the volumes where later boots look for them. */
  settle: { request: Record<string, never>; answer: Record<string, never> };
}

export type CallName = keyof Calls;
export type RequestOf<N extends CallName> = Calls[N]['request'];
export type AnswerOf<N extends CallName> = Calls[N]['answer'];

/** One line from the host. */
export interface Call {
  readonly id: number;
  readonly name: CallName;
  readonly request: unknown;
}

/** One line from the guest. `powerLost` is the host's own. */
export interface Reply {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
  readonly powerLost?: boolean;
}

/** What the guest tells unasked, as it happens. From then on it is true, whatever happens to the guest. */
export type Seen =
  | { readonly what: 'submitted'; readonly expectation: Expectation }
  | { readonly what: 'committed'; readonly fragmentIds: readonly string[] }
  /** An image became COMPLETE, or a further copy of it. */
  | { readonly what: 'completed'; readonly imageId: string };
