import type { Outgoing } from '../parts/broker.js';
import type { Life } from '../kernel/host.js';
import { isOutage } from './network.js';
import type { Link } from './link.js';
import { OUTBOX } from './tables.js';

const BATCH_MAX = 64;
const LOOK_AGAIN_MS = 60_000;
const RETRY_MS = 2_000;

/**
 * Publishes outbox rows and removes each when the broker has it, as `OutboxRelay` does with the table: in a transaction
 * that locks them, so that several share the work.
 */
export class Relay {
  private wake: () => void = () => undefined;

  constructor(
    private readonly life: Life,
    private readonly link: Link,
  ) {}

  start(): void {
    this.link.kicks(this);
    this.life.spawn('relay', async () => {
      for (;;) {
        try {
          if ((await this.round()) === 0) await this.rest(LOOK_AGAIN_MS);
        } catch (error) {
          if (!isOutage(error)) throw error;
          await this.life.sleep(RETRY_MS);
        }
      }
    });
  }

  /** A transaction with messages has committed. */
  kick(): void {
    this.wake();
  }

  private round(): Promise<number> {
    return this.link.transaction(async ({ run }) => {
      const rows = await run('claims outbox rows', (db) => db.claim(OUTBOX, BATCH_MAX));
      await Promise.all(rows.map(({ row }) => this.link.publish(row as unknown as Outgoing)));
      if (rows.length > 0) {
        await run('removes outbox rows', async (db) => {
          for (const { key } of rows) await db.remove(OUTBOX, key);
        });
      }
      return rows.length;
    });
  }

  private rest(ms: number): Promise<void> {
    return this.life.firstOf(ms, (wake) => {
      this.wake = wake;
    });
  }
}
