import { CONSUMERS, STREAMS } from '#contracts/streams.js';
import type { Life } from '../../kernel/host.js';
import type { Cluster } from '../cluster.js';
import { Link } from '../link.js';
import { isOutage } from '../network.js';

const LOOK_MS = 30_000;

/** Keeps streams and the services' consumers in order: makes what is missing, renews what is ahead. */
export class KeeperProgram {
  constructor(life: Life, cluster: Cluster) {
    const link = new Link(life, cluster);
    life.spawn('topology', async () => {
      for (;;) {
        try {
          for (const spec of STREAMS) await link.ensureStream(spec);
          for (const spec of CONSUMERS) await link.renewIfInsane(spec, true);
        } catch (error) {
          if (!isOutage(error)) throw error;
        }
        await life.sleep(LOOK_MS);
      }
    });
  }
}
