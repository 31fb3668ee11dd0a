import { catalogCommits } from '#contracts/streams.js';
import type { Oracle } from '../../checks/oracle.js';
import type { Life } from '../../kernel/host.js';
import type { Transaction } from '../../parts/database.js';
import type { Rules } from '../../rules.js';
import type { Cluster, Settings } from '../cluster.js';
import { Link, type Work } from '../link.js';
import { isOutage } from '../network.js';
import { Relay } from '../relay.js';
import type { CatalogContext } from './catalog-context.js';
import { Commits } from './commits.js';
import { Copies } from './copies.js';
import { Images } from './images.js';
import { Reconciliation } from './reconciliation.js';
import { SimEpoch } from './sim-epoch.js';
import { Deletions } from './deletions.js';

const BATCH_MAX = 16;
const ROUND_MS = 25_000;
const COMPARE_AGAIN_MS = 240_000;

/** One life of a catalog service: a thin shell around the real verdicts and deletion decisions. */
export class CatalogProgram implements CatalogContext {
  readonly link: Link;
  readonly rules: Rules;
  readonly oracle: Oracle;
  readonly settings: Settings;
  private readonly epochs: SimEpoch;
  private readonly comparedAt = new Map<string, number>();
  /** In which era each media server was compared last. */
  private readonly eras = new Map<string, string>();
  private made = 0;

  constructor(
    readonly life: Life,
    private readonly cluster: Cluster,
  ) {
    this.link = new Link(life, cluster);
    this.rules = cluster.rules;
    this.oracle = cluster.oracle;
    this.settings = cluster.settings;
    this.epochs = new SimEpoch(cluster.database, () => this.fresh());
    new Relay(life, this.link).start();
    const commits = new Commits(this);
    commits.serve();
    new Images(this).serve();
    new Copies(this).serve();
    const deletions = new Deletions(this);
    deletions.serve();
    this.link.consume({
      spec: catalogCommits,
      batchMax: BATCH_MAX,
      handle: (batch) => commits.handle(batch),
    });
    const reconciliation = new Reconciliation(this);
    reconciliation.serve();
    this.repeat('care', this.settings.careMs, () => this.care(reconciliation));
    this.repeat('deletions', ROUND_MS, () => deletions.round());
  }

  transaction<T>(work: (unit: Work) => Promise<T>): Promise<T> {
    return this.link.transaction(work);
  }

  epoch(db: Transaction): Promise<string> {
    return this.epochs.get(db);
  }

  epochNow(): Promise<string> {
    return this.transaction((unit) => unit.run('reads its epoch', (db) => this.epochs.refresh(db)));
  }

  renewEpoch(): Promise<void> {
    return this.transaction((unit) => unit.run('renews its epoch', (db) => this.epochs.renew(db)));
  }

  fresh(): string {
    this.made += 1;
    return `${this.life.host.name} ${this.life.number} ${this.made}`;
  }

  async uncompared(db: Transaction, mediaIds: readonly string[]): Promise<string[]> {
    const era = await this.epochs.era(db);
    return mediaIds.filter((mediaId) => this.eras.get(mediaId) !== era);
  }

  /** Every server that is due: at the start, when the catalog is in doubt, now and then. */
  private async care(reconciliation: Reconciliation): Promise<void> {
    await this.epochNow();
    for (const mediaId of this.cluster.disks.keys()) {
      try {
        await this.compareIfDue(reconciliation, mediaId);
      } catch (error) {
        if (!isOutage(error)) throw error;
      }
    }
  }

  private async compareIfDue(reconciliation: Reconciliation, mediaId: string): Promise<void> {
    const era = await this.transaction(({ run }) => run('era', (db) => this.epochs.era(db)));
    const at = this.comparedAt.get(mediaId);
    const isRecent = at !== undefined && this.life.world.now - at < COMPARE_AGAIN_MS;
    if (isRecent && this.eras.get(mediaId) === era) return;
    await reconciliation.server(mediaId);
    this.comparedAt.set(mediaId, this.life.world.now);
    this.eras.set(mediaId, era);
  }

  private repeat(what: string, ms: number, work: () => Promise<void>): void {
    this.life.spawn(what, async () => {
      for (;;) {
        await this.life.sleep(ms);
        try {
          await work();
        } catch (error) {
          if (!isOutage(error)) throw error;
        }
      }
    });
  }
}
