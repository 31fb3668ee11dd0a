import type { CopyView } from '#contracts/catalog/copy.js';
import type { FragmentView } from '#contracts/image.js';
import type { JobView } from '#contracts/job.js';
import { until } from '../support/until.js';
import type { TestCluster } from './cluster.js';

/** What the services of a cluster say of an image and of jobs, for tests that look often. */
export class ClusterViews {
  constructor(private readonly cluster: () => TestCluster) {}

  async copies(imageId: string): Promise<CopyView[]> {
    return (await this.cluster().ask<{ copies: CopyView[] }>('catalog.copies', { imageId })).copies;
  }

  async fragments(imageId: string, copy: number): Promise<FragmentView[]> {
    const request = { imageId, copy, all: true };
    const answer = await this.cluster().ask<{ fragments: FragmentView[] }>(
      'catalog.fragments',
      request,
    );
    return answer.fragments;
  }

  async job(job: number): Promise<JobView> {
    return (await this.cluster().ask<{ job: JobView }>('jobs.get', { job })).job;
  }

  /** Resolves when it has ended, however. */
  async endOf(job: number): Promise<JobView> {
    await until(async () => (await this.job(job)).state === 'done', { what: `job ${job} to end` });
    return this.job(job);
  }

  /** How many fragments a media server's journal has in each state. */
  async states(mediaId: string): Promise<Record<string, number>> {
    const endpoint = `media.fragments.${mediaId}`;
    return (await this.cluster().ask<{ states: Record<string, number> }>(endpoint)).states;
  }

  /** How often the event stream tells of a fragment in events of a type (`fragment.committed`). */
  async told(type: string, fragmentId: string): Promise<number> {
    const { stdout } = await this.cluster().cli('events', type, '--since', '1h ago');
    return stdout.split(`"fragmentId":"${fragmentId}"`).length - 1;
  }

  /** Submits a duplication and leaves it running. */
  async startDuplication(imageId: string, toPool: string, copy?: number): Promise<number> {
    const args = ['image', 'duplicate', imageId, '--to', toPool, '--no-wait'];
    if (copy !== undefined) args.push('--copy', String(copy));
    return ((await this.cluster().cli(...args)).json as { job: number }).job;
  }
}
