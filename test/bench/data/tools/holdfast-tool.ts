import { join } from 'node:path';
import { checkoutFolder } from '../../../../apps/standalone/src/servers/checkout-folder.js';
import { TestCluster } from '../../../cluster/cluster.js';
import type { DataTool, DataWork, Step } from '../data-tool.js';
import type { Servers } from '../usage/usage.js';
import { command } from './command.js';

const FIRST_POOL = 'backups';
const SECOND_POOL = 'copies';
const FAR = { mediaId: 'far', pool: 'offsite' } as const;
const JOBS_MAX = 4;
const FIRST_UNIT = ['--storage', 'first'];

/**
 * Ours: a whole cluster, started and asked as a user does. The second store is another volume of the
 * media server; the one across belongs to a media server of its own, to which data goes by network.
 * All three are of the same kind: they deduplicate, or not.
 */
export class HoldfastTool implements DataTool {
  private work!: DataWork;
  private cluster!: TestCluster;
  private readonly images: string[] = [];

  constructor(
    readonly name: string,
    /** In front of a volume's folder. */
    private readonly kind: '' | 'dedup:' = '',
  ) {}

  readonly steps = {
    full: () => this.backup('full'),
    'nothing changed': () => this.backup('differential'),
    changed: () => this.backup('differential'),
    restore: () => this.holdfast('restore', this.images.at(-1)!, '--to', this.work.restored),
    list: () => this.holdfast('files', this.images[0]!),
    find: () => this.holdfast('find', this.work.corpus.findName),
    verify: () => this.holdfast('image', 'verify', ...this.images),
    duplicate: () => this.holdfast('image', 'duplicate', ...this.images, '--to', SECOND_POOL),
    'duplicate across': () => this.holdfast('image', 'duplicate', ...this.images, '--to', FAR.pool),
  };

  async prepare(work: DataWork): Promise<void> {
    this.work = work;
    this.images.length = 0;
    const volume = (pool: string) => `${pool}=${this.kind}${join(work.folder, pool)}`;
    this.cluster = await TestCluster.start({
      args: [
        ...['--volume', volume(FIRST_POOL), '--volume', volume(SECOND_POOL)],
        ...['--media-server', `${FAR.mediaId}:${volume(FAR.pool)}`],
      ],
    });
    for (const [name, mediaId, pool] of [
      ['first', 'media1', FIRST_POOL],
      ['second', 'media1', SECOND_POOL],
      ['across', FAR.mediaId, FAR.pool],
    ]) {
      const unit = { name, mediaId, pool, jobsMax: JOBS_MAX };
      await this.cluster.ask('broker.unit-put', { unit });
    }
  }

  servers(step: Step): Servers {
    const { cluster } = this;
    const far = `media-${FAR.mediaId}` as const;
    const pids = {
      services: cluster.pid('up'),
      agent: cluster.pid('agent'),
      media: cluster.pid('media'),
      [far]: cluster.pid(far),
      nats: cluster.pid('nats-server'),
      postgres: cluster.pid('postgres'),
    };
    return { pids, dataPath: step === 'duplicate across' ? ['media', far] : ['agent', 'media'] };
  }

  get stores(): string[] {
    return [join(this.work.folder, FIRST_POOL)];
  }

  stop(): Promise<void> {
    return this.cluster.stop();
  }

  private async backup(kind: 'full' | 'differential'): Promise<void> {
    const { folder } = this.work.corpus;
    const said = await this.holdfast('--json', 'backup', folder, '--type', kind, ...FIRST_UNIT);
    const { job } = JSON.parse(said.trim().split('\n').at(-1)!) as { job: { imageId: string } };
    this.images.push(job.imageId);
  }

  private holdfast(...args: readonly string[]): Promise<string> {
    const bin = join(checkoutFolder(), 'bin/holdfast');
    return command([process.execPath, bin, ...args], {
      env: { HOLDFAST_DATA: this.cluster.dataFolder },
    });
  }
}
