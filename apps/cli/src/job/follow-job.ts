import { cloudEvent } from '#contracts/event.js';
import { jobsGet, jobView, type JobView } from '#contracts/job.js';
import { sleep } from '#kernel/backoff.js';
import type { Clock } from '#kernel/clock.js';
import { Unavailable } from '#kernel/errors.js';
import type { Cluster } from '../cluster/cluster.js';

/** How often the job manager is asked while no event comes. */
const POLL_MS = 2_000;
const POLL_ANSWER_MS_MAX = 5_000;
/** A job manager that says nothing for that long counts as gone; restarts take seconds. */
const SILENCE_MS_MAX = 120_000;
/** After so long, whoever waits is told why nothing moves. */
const SILENCE_TOLD_MS = 10_000;

export interface FollowOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onView: (view: JobView) => void;
  /** Called once for each time that the cluster falls silent. */
  readonly onSilence: () => void;
}

/** Nothing more happens by itself to a job in one of these. */
export function hasEnded({ state }: Pick<JobView, 'state'>): boolean {
  return state === 'done' || state === 'incomplete';
}

/**
 * True if `next` is no older than `last`: events and answers overtake each other. The end counts in
 * any case: a database that went back in time counts changes anew.
 */
export function isNews(last: JobView | undefined, next: JobView): boolean {
  if (last === undefined) return true;
  if (last.state === 'done') return false;
  return next.state === 'done' || next.revision >= last.revision;
}

/**
 * Follows a job to its end by its events, and by asking where no event comes. Resolves to the job
 * when it is done or incomplete, to its last known state when `signal` fires first. Throws `Unavailable` when the
 * cluster stays silent, which says nothing of the job.
 */
export async function followJob(
  cluster: Cluster,
  job: number,
  options: FollowOptions,
): Promise<JobView | undefined> {
  const follower = new Follower(cluster, job, options);
  const unsubscribe = await cluster.onEvent(`hf.evt.v1.job.*.${job}`, (event) => {
    const envelope = cloudEvent.safeParse(event);
    const view = jobView.safeParse(envelope.data?.data);
    if (view.success) follower.accept(view.data);
  });
  try {
    return await follower.run();
  } finally {
    unsubscribe();
  }
}

class Follower {
  private last: JobView | undefined;
  private heardAt: number;
  private silenceTold = false;
  private readonly done = new AbortController();

  constructor(
    private readonly cluster: Cluster,
    private readonly job: number,
    private readonly options: FollowOptions,
  ) {
    this.heardAt = this.now();
  }

  accept(view: JobView): void {
    this.heardAt = this.now();
    this.silenceTold = false;
    if (!isNews(this.last, view)) return;
    this.last = view;
    this.options.onView(view);
    if (hasEnded(view)) this.done.abort();
  }

  async run(): Promise<JobView | undefined> {
    const { signal } = this.options;
    const wake = AbortSignal.any([signal, this.done.signal]);
    await this.poll();
    while (!wake.aborted) {
      await sleep(POLL_MS, wake);
      if (!wake.aborted && this.now() - this.heardAt >= POLL_MS) await this.poll();
    }
    return this.last;
  }

  private async poll(): Promise<void> {
    try {
      const input = { job: this.job, log: false };
      const { signal } = this.options;
      const { job } = await this.cluster.ask(jobsGet, input, POLL_ANSWER_MS_MAX, signal);
      this.accept(job);
    } catch (error) {
      if (error instanceof Unavailable && this.options.signal.aborted) return;
      const silentMs = this.now() - this.heardAt;
      const giveUp = this.last === undefined || silentMs > SILENCE_MS_MAX;
      if (!(error instanceof Unavailable) || giveUp) throw error;
      if (silentMs > SILENCE_TOLD_MS && !this.silenceTold) this.options.onSilence();
      this.silenceTold ||= silentMs > SILENCE_TOLD_MS;
    }
  }

  private now(): number {
    return this.options.clock.now().getTime();
  }
}
