import { mkdirSync, writeFileSync } from 'node:fs';
import type { StorageUnit } from '#contracts/broker.js';
import { CLIENT, TestCluster } from '../../cluster/cluster.js';

const FILE_BYTES = 1_024;
const WAIT_MS_MAX = 300_000;

/** A cluster of this machine with folders of one small file each, and as many slots as are wanted. */
export class TinyJobs {
  private constructor(
    readonly cluster: TestCluster,
    readonly folders: readonly string[],
    private readonly ended: Endings,
  ) {}

  static async start(count: number, jobsMax: number): Promise<TinyJobs> {
    const cluster = await TestCluster.start();
    const folders = Array.from({ length: count }, (_, n) => cluster.path('work', `tiny${n}`));
    for (const [n, folder] of folders.entries()) {
      mkdirSync(folder);
      writeFileSync(`${folder}/f`, Buffer.alloc(FILE_BYTES, n));
    }
    const tiny = new TinyJobs(cluster, folders, await Endings.of(cluster));
    await tiny.setSlots(jobsMax);
    return tiny;
  }

  /** So many of the client's jobs run at once. */
  async setSlots(jobsMax: number): Promise<void> {
    const { units } = await this.cluster.ask<{ units: StorageUnit[] }>('broker.units');
    const { name, mediaId, pool } = units[0]!;
    await this.cluster.ask('broker.unit-put', { unit: { name, mediaId, pool, jobsMax } });
    await this.cluster.ask('broker.limit-put', { client: CLIENT, jobsMax });
  }

  /** Submits a backup of each of these folders at once; seconds until the last one is done. */
  async run(folders: readonly string[]): Promise<number> {
    const begun = performance.now();
    const jobs = await Promise.all(folders.map((folder) => this.submit(folder)));
    await this.ended.all(jobs);
    return (performance.now() - begun) / 1_000;
  }

  async submit(folder: string): Promise<number> {
    const request = { client: CLIENT, selections: [folder] };
    return (await this.cluster.ask<{ job: number }>('jobs.backup', request)).job;
  }

  stop(): Promise<void> {
    return this.cluster.stop();
  }
}

/** Hears of the end of jobs, as any subscriber does. */
class Endings {
  private readonly done = new Map<number, number>();
  private wake: () => void = () => undefined;

  static async of(cluster: TestCluster): Promise<Endings> {
    const endings = new Endings();
    const nats = await cluster.connect();
    nats.subscribe('hf.evt.v1.job.done.>', {
      callback: (_, message) => {
        const { job, status } = message.json<{ data: { job: number; status: number } }>().data;
        endings.done.set(job, status);
        endings.wake();
      },
    });
    await nats.flush();
    return endings;
  }

  /** Throws where one did not end well. */
  async all(jobs: readonly number[]): Promise<void> {
    const late = setTimeout(() => this.wake(), WAIT_MS_MAX);
    const begun = performance.now();
    while (!jobs.every((job) => this.done.has(job))) {
      if (performance.now() - begun >= WAIT_MS_MAX) throw new Error('jobs do not end');
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    clearTimeout(late);
    const bad = jobs.filter((job) => this.done.get(job) !== 0);
    if (bad.length > 0) throw new Error(`jobs that did not end well: ${bad.join(', ')}`);
  }
}
