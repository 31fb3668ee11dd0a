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
    const copy = chance.pick([undefined, 1, 2]);
    try {
      await chance.pick([
        () => this.link.request(imageExpire, { imageId, ...(copy && { copy }) }),
        () => this.link.request(imageExpire, { imageId, copy: 1 }),
        () => this.link.request(imageExpire, { imageId, now: chance.happens(0.4) }),
        () => this.link.request(imageUndelete, { imageId }),
        () => this.link.request(imageHold, { imageId, hold: 'h1', release: chance.happens(0.6) }),
      ])();
    } catch (error) {
      if (!isOutage(error) && !(error instanceof PermanentError)) throw error;
    }
  }
}
