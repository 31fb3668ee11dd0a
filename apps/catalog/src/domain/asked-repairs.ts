interface Asked {
  readonly requestId: string;
  readonly job: number;
  /** In which pass over all damaged copies it was met last. */
  met: number;
}

export interface RepairJobs {
  /** Asks for a repair; the same request makes the same job. */
  submit(): Promise<number>;
  /** Whether a job has not ended yet: one whose media server is away waits for weeks. */
  isOpen(job: number): Promise<boolean>;
}

/**
 * The repairs that were asked for, so that a copy is asked for once more only when the job before has ended.
 * Memory: an entry for each copy that was damaged in the last whole pass.
 */
export class AskedRepairs {
  private readonly asked = new Map<string, Asked>();
  private pass = 0;

  /** Throws what `jobs` throws; then nothing is remembered, and it is asked again. */
  async ask(copy: string, requestId: string, jobs: RepairJobs): Promise<void> {
    const last = this.asked.get(copy);
    if (last) last.met = this.pass;
    if (last?.requestId === requestId || (last && (await jobs.isOpen(last.job)))) return;
    this.asked.set(copy, { requestId, job: await jobs.submit(), met: this.pass });
  }

  /** All damaged copies were met: what was not is mended or gone, and is forgotten. */
  endPass(): void {
    for (const [copy, { met }] of this.asked) if (met < this.pass) this.asked.delete(copy);
    this.pass += 1;
  }
}
