import { catalogCopies } from '#contracts/catalog/copy.js';
import { imageExpire, imageHold, imageUndelete } from '#contracts/catalog/expiry.js';
import { PermanentError } from '#kernel/errors.js';
import type { Life } from '../../kernel/host.js';
import type { Cluster } from '../cluster.js';
import { Link } from '../link.js';
import { isOutage } from '../network.js';

const REST_MS_MIN = 2_000;

/** A person at the command line: expires copies, takes them back, puts images on hold. */
export class OperatorProgram {
  private readonly link: Link;

  constructor(
    private readonly life: Life,
    private readonly cluster: Cluster,
  ) {
    this.link = new Link(life, cluster);
    life.spawn('work', async () => {
      for (;;) {
        await life.sleep(life.host.chance.between(REST_MS_MIN, cluster.settings.operatorRestMsMax));
        if (cluster.isCalm) continue;
        await this.doSomething();
      }
    });
  }

  private async doSomething(): Promise<void> {
    const { chance } = this.life.host;
    const { images } = this.cluster;
    if (images.length === 0) return;
    const { imageId } = chance.pick(images);
    if (this.cluster.settings.operatorThins) return this.thin(imageId);
    const copy = chance.pick([undefined, 1, 2]);
    await this.tryTo(async () => {
      const hold = { imageId, hold: 'h1', release: chance.happens(0.7) };
      await chance.pick([
        () => this.link.request(imageExpire, { imageId, now: true }),
        () => this.link.request(imageExpire, { imageId, now: true }),
        () => this.link.request(imageExpire, { imageId, ...(copy && { copy }) }),
        () => this.link.request(imageExpire, { imageId, copy: 1 }),
        () => this.link.request(imageExpire, { imageId, copy: 2 }),
        () => this.link.request(imageUndelete, { imageId }),
        () => this.link.request(imageHold, hold),
      ])();
    });
  }

  /** Gives up one copy where the catalog shows several that are good. */
  private thin(imageId: string): Promise<void> {
    const { chance } = this.life.host;
    return this.tryTo(async () => {
      const { copies } = await this.link.request(catalogCopies, { imageId });
      const good = copies.filter(({ state }) => state === 'COMPLETE');
      if (good.length < 2) return;
      await this.link.request(imageExpire, { imageId, copy: chance.pick(good).copy });
    });
  }

  private async tryTo(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isOutage(error) && !(error instanceof PermanentError)) throw error;
    }
  }
}
