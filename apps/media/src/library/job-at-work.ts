import { AsyncLocalStorage } from 'node:async_hooks';

/** The job for which something is done here. */
export interface JobAtWork {
  readonly job: number;
  /** The attempt is over. */
  readonly signal: AbortSignal;
  readonly log: (severity: 'info' | 'warning', text: string) => void;
}

const current = new AsyncLocalStorage<JobAtWork>();

/** Runs work for a job: whoever waits for a volume below it knows for whom, and until when. */
export function atWorkFor<T>(job: JobAtWork, work: () => Promise<T>): Promise<T> {
  return current.run(job, work);
}

/** Undefined for what no job has asked for. */
export function jobAtWork(): JobAtWork | undefined {
  return current.getStore();
}
