import { AsyncLocalStorage } from 'node:async_hooks';
import type { JobReporter } from '#messaging/job-reporter.js';

/** The job for which something is done here. */
export interface JobAtWork {
  readonly job: number;
  /** The attempt is over. */
  readonly signal: AbortSignal;
  readonly log: (severity: 'info' | 'warning', text: string) => void;
  /** Says that the job waits for something, and returns what ends that. It may wait for several things at once. */
  readonly waitFor: (what: string) => () => void;
}

/** A job as its reporter speaks for it. */
export function jobOf(
  reporter: Pick<JobReporter, 'log' | 'progress'>,
  job: number,
  signal: AbortSignal,
): JobAtWork {
  const waits = new Waits((what) => {
    reporter.progress({ waitingFor: what.slice(0, WAITING_FOR_MAX) });
  });
  return {
    ...{ job, signal },
    log: (severity, text) => reporter.log(severity, text),
    waitFor: (what) => waits.begin(what),
  };
}

/** What somebody waits for: the newest of what is still waited for is shown, or nothing (an empty text). */
export class Waits {
  private readonly current = new Set<{ readonly what: string }>();

  constructor(private readonly show: (what: string) => void) {}

  /** @returns what ends this wait, and no other; twice is harmless */
  begin(what: string): () => void {
    const wait = { what };
    this.current.add(wait);
    this.show(what);
    return () => {
      if (this.current.delete(wait)) this.show([...this.current].at(-1)?.what ?? '');
    };
  }
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
