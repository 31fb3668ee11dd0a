import { catalogCommits } from '#contracts/streams.js';
import type { Oracle } from '../../checks/oracle.js';
import type { Life } from '../../kernel/host.js';
import type { Transaction } from '../../parts/database.js';
import type { Rules } from '../../rules.js';
import type { Cluster } from '../cluster.js';
import { Link, type Work } from '../link.js';
import { isOutage } from '../network.js';
import { Relay } from '../relay.js';
import { STATE } from '../tables.js';
import type { CatalogContext } from './catalog-context.js';
import { Commits } from './commits.js';
import { Copies } from './copies.js';
import { Images } from './images.js';
import { Deletions } from './deletions.js';

const BATCH_MAX = 16;
const ROUND_MS = 25_000;

/** One life of a catalog service: a thin shell around the real verdicts and deletion decisions. */
export class CatalogProgram implements CatalogContext {
  readonly link: Link;
  readonly rules: Rules;
  readonly oracle: Oracle;
  private made = 0;

  constructor(
    readonly life: Life,
    private readonly cluster: Cluster,
  ) {
    this.link = new Link(life, cluster);
    this.rules = cluster.rules;
    this.oracle = cluster.oracle;
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
    this.repeat('deletions', ROUND_MS, () => deletions.round());
  }

  transaction<T>(work: (unit: Work) => Promise<T>): Promise<T> {
    return this.link.transaction(work);
  }

  async epoch(db: Transaction): Promise<string> {
    await db.insert(STATE, 'the only', { random: 'r1' });
    const row = await db.read(STATE, 'the only');
    return `sim-${this.cluster.database.timeline}-${String(row!['random'])}`;
  }

  fresh(): string {
    this.made += 1;
    return `${this.life.host.name} ${this.life.number} ${this.made}`;
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
