/** Jobs that are driven at once because time is no matter, and those that somebody waits for. */
const SOON_MAX = 32;
const URGENT_MAX = 96;

export type Urgency = 'urgent' | 'soon';

export interface Again {
  readonly afterMs: number;
  readonly urgency: Urgency;
}

/**
 * Works on each job alone, on many jobs side by side, and on what is urgent first: ten thousand jobs
 * that are asked after do not hold up the one that somebody cancels.
 */
export class DriveQueue {
  private readonly urgent = new Set<number>();
  private readonly soon = new Set<number>();
  private readonly running = new Map<number, Promise<void>>();
  private readonly again = new Map<number, Urgency>();
  private readonly alarms = new Map<number, NodeJS.Timeout>();
  private isStopped = false;

  /** `work` says whether, when and how urgently the job wants to be worked on again. */
  constructor(private readonly work: (job: number) => Promise<Again | undefined>) {}

  /** Jobs that wait for their turn. */
  get waiting(): number {
    return this.urgent.size + this.soon.size;
  }

  /** A job that runs already is worked on once more; one that rests is woken, if it is urgent. */
  add(job: number, urgency: Urgency): void {
    if (this.isStopped) return;
    if (this.running.has(job)) {
      if (urgency === 'urgent' || !this.again.has(job)) this.again.set(job, urgency);
      return;
    }
    if (urgency === 'soon' && this.alarms.has(job)) return;
    this.silence(job);
    if (urgency === 'urgent') this.soon.delete(job);
    if (urgency === 'urgent') this.urgent.add(job);
    else if (!this.urgent.has(job)) this.soon.add(job);
    this.next();
  }

  /** Resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.isStopped = true;
    for (const job of [...this.alarms.keys()]) this.silence(job);
    this.urgent.clear();
    this.soon.clear();
    await Promise.all(this.running.values());
  }

  private next(): void {
    while (this.urgent.size > 0 && this.running.size < URGENT_MAX) this.take(this.urgent);
    while (this.soon.size > 0 && this.running.size < SOON_MAX) this.take(this.soon);
  }

  private take(from: Set<number>): void {
    const [job] = from;
    from.delete(job!);
    this.running.set(job!, this.run(job!));
  }

  private async run(job: number): Promise<void> {
    // Only when the caller is through does the work begin: it has set its mark by then.
    await Promise.resolve();
    const wanted = await this.work(job);
    this.running.delete(job);
    const again = this.again.get(job);
    this.again.delete(job);
    if (again) this.add(job, again);
    else if (wanted && !this.isStopped) this.alarm(job, wanted);
    this.next();
  }

  private alarm(job: number, { afterMs, urgency }: Again): void {
    const ring = () => {
      this.alarms.delete(job);
      this.add(job, urgency);
    };
    this.alarms.set(job, setTimeout(ring, afterMs));
  }

  private silence(job: number): void {
    clearTimeout(this.alarms.get(job));
    this.alarms.delete(job);
  }
}
