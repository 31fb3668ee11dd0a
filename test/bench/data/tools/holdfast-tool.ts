import { join } from 'node:path';
import { checkoutFolder } from '../../../../apps/standalone/src/servers/checkout-folder.js';
import { TestCluster } from '../../../cluster/cluster.js';
import type { DataTool, DataWork } from '../data-tool.js';
import type { Servers } from '../usage/usage.js';
import { command } from './command.js';

const SECOND_POOL = 'copies';
const FAR = { mediaId: 'far', pool: 'offsite' };
const JOBS_MAX = 4;

/**
 * Ours: a whole cluster, started and asked as a user does. The second store is another volume of the
 * media server; the one across belongs to a media server of its own, to which data goes by network.
 */
export class HoldfastTool implements DataTool {
  readonly name = 'holdfast';
  private work!: DataWork;
  private cluster!: TestCluster;
  private readonly images: string[] = [];
  private dataPath = ['agent', 'media'];

  readonly steps = {
    full: () => this.backup('full'),
    'nothing changed': () => this.backup('differential'),
    changed: () => this.backup('differential'),
    restore: () => this.holdfast('restore', this.images.at(-1)!, '--to', this.work.restored),
    list: () => this.holdfast('files', this.images[0]!),
    find: () => this.holdfast('find', this.work.corpus.findName),
    verify: () => this.onEachImage((image) => ['image', 'verify', image]),
    duplicate: () =>
      this.onEachImage((image) => ['image', 'duplicate', image, '--to', SECOND_POOL]),
    'duplicate across': () => {
      this.dataPath = ['media', `media-${FAR.mediaId}`];
      return this.onEachImage((image) => ['image', 'duplicate', image, '--to', FAR.pool]);
    },
  };

  async prepare(work: DataWork): Promise<void> {
    this.work = work;
    this.images.length = 0;
    this.dataPath = ['agent', 'media'];
    const volume = (name: string) => join(work.folder, name);
    this.cluster = await TestCluster.start({
      args: [
        ...['--volume', `${SECOND_POOL}=${volume(SECOND_POOL)}`],
        ...['--media-server', `${FAR.mediaId}:${FAR.pool}=${volume(FAR.pool)}`],
      ],
    });
    for (const [name, mediaId, pool] of [
      ['second', 'media1', SECOND_POOL],
      ['across', FAR.mediaId, FAR.pool],
    ]) {
      const unit = { name, mediaId, pool, jobsMax: JOBS_MAX };
      await this.cluster.ask('broker.unit-put', { unit });
    }
  }

  servers(): Servers {
    const { cluster } = this;
    const pids = {
      services: cluster.pid('up'),
      agent: cluster.pid('agent'),
      media: cluster.pid('media'),
      [`media-${FAR.mediaId}`]: cluster.pid(`media-${FAR.mediaId}`),
      nats: cluster.pid('nats-server'),
      postgres: cluster.pid('postgres'),
    };
    return { pids, dataPath: this.dataPath };
  }

  get stores(): string[] {
    return [join(this.cluster.dataFolder, 'media/main')];
  }

  stop(): Promise<void> {
    return this.cluster.stop();
  }

  private async backup(kind: 'full' | 'differential'): Promise<void> {
    const { folder } = this.work.corpus;
    const said = await this.holdfast('--json', 'backup', folder, '--type', kind);
    const { job } = JSON.parse(said.trim().split('\n').at(-1)!) as { job: { imageId: string } };
    this.images.push(job.imageId);
  }

  private async onEachImage(args: (image: string) => string[]): Promise<void> {
    await Promise.all(this.images.map((image) => this.holdfast(...args(image))));
  }

  private holdfast(...args: readonly string[]): Promise<string> {
    const bin = join(checkoutFolder(), 'bin/holdfast');
    return command([process.execPath, bin, ...args], {
      env: { HOLDFAST_DATA: this.cluster.dataFolder },
    });
  }
}
