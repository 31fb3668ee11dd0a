import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import { Allocator } from '../allocator.js';
import { BrokerConfig } from '../config.js';
import { upSince } from '../domain/liveness.js';

/**
 * Evaluates the queue now and then without an occasion: leases run out and media servers go down
 * silently, time gives a claim to who has waited, and a crash may come between a heartbeat and what it
 * leads to.
 */
@Injectable()
export class QueueWatch extends Repeating {
  private readonly logger = new Logger('queue');

  constructor(
    private readonly database: DataSource,
    private readonly allocator: Allocator,
    private readonly clock: Clock,
    private readonly config: BrokerConfig,
  ) {
    super({
      everyMs: () => config.evaluateMs,
      work: () => this.lookAtQueue(),
      onError: (error) =>
        this.logger.error(`the queue was not evaluated: ${messageOf(error)}; trying again`),
    });
  }

  private async lookAtQueue(): Promise<void> {
    if (await this.isDue()) await this.allocator.evaluate();
  }

  /** Without the lock: an idle cluster is to cost next to nothing. */
  private async isDue(): Promise<boolean> {
    const now = this.clock.now();
    const rows: { due: boolean }[] = await this.database.query(
      `SELECT EXISTS (SELECT 1 FROM waiting)
         OR EXISTS (SELECT 1 FROM allocation WHERE lease_until <= $1)
         OR EXISTS (SELECT 1 FROM media_server WHERE (announced = 'up') <> (last_seen_at >= $2))
         OR NOT EXISTS (SELECT 1 FROM storage_unit) AND EXISTS (SELECT 1 FROM media_server) AS due`,
      [now, upSince(now)],
    );
    return rows[0]?.due ?? false;
  }
}
