import { AsyncLocalStorage } from 'node:async_hooks';
import type { JobReporter } from '#messaging/job-reporter.js';

/** The job for which something is done here. */
export interface JobAtWork {
  readonly job: number;
  /** The attempt is over. */
  readonly signal: AbortSignal;
  readonly log: (severity: 'info' | 'warning', text: string) => void;
  /** Says what the job waits for now; an empty text when it goes on. */
  readonly waitingFor: (what: string) => void;
}

/** A job as its reporter speaks for it. */
export function jobOf(
  reporter: Pick<JobReporter, 'log' | 'progress'>,
  job: number,
  signal: AbortSignal,
): JobAtWork {
  return {
    ...{ job, signal },
    log: (severity, text) => reporter.log(severity, text),
    waitingFor: (what) => reporter.progress({ waitingFor: what.slice(0, WAITING_FOR_MAX) }),
  };
}

const WAITING_FOR_MAX = 200;

const current = new AsyncLocalStorage<JobAtWork>();

/** Runs work for a job: whoever waits for a volume below it knows for whom, and until when. */
export function atWorkFor<T>(job: JobAtWork, work: () => Promise<T>): Promise<T> {
  return current.run(job, work);
}

/** Undefined for what no job has asked for. */
export function jobAtWork(): JobAtWork | undefined {
  return current.getStore();
}
