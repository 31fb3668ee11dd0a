import { Logger } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { backoffMs, sleep } from '#kernel/backoff.js';
import { messageOf } from '#kernel/errors.js';
import { JsonText, type Publisher } from '#messaging/publisher.js';
import { RecentPayloads } from './recent-payloads.js';
import type { UnitOfWork } from './unit-of-work.js';

interface Row {
  readonly id: string;
  readonly message_id: string;
  readonly subject: string;
  readonly content_type: string;
  /** JSON, as text: it goes out as it is. Null where it is known here. */
  readonly payload: string | null;
}

/** A row may be a bundle of some hundred kilobytes. */
const BATCH_ROWS_MAX = 64;
/** Catches what a crash left behind; a commit wakes the relay at once. */
const LOOK_AGAIN_MS = 1_000;
/** While the broker is away; what waits goes out within this time of its return. */
const RETRY = { firstMs: 100, maxMs: 1_000, jitter: 0.5 };
const INBOX_KEPT = '14 days';
const INBOX_SWEEP_MS = 3_600_000;

/**
 * Publishes outbox rows in order and removes each once the broker has it. A row may go out twice
 * (published, then a crash before its removal), so receivers are idempotent.
 */
export class OutboxRelay {
  private readonly logger = new Logger('outbox');
  private readonly stopping = new AbortController();
  private wake: () => void = () => undefined;
  private loop: Promise<void> = Promise.resolve();
  private sweeper: NodeJS.Timeout | undefined;
  private woken = false;
  private readonly recent = new RecentPayloads();

  constructor(
    private readonly database: DataSource,
    private readonly publisher: Publisher,
    unitOfWork: UnitOfWork,
  ) {
    unitOfWork.whenCommitted((rows) => {
      for (const { messageId, payload } of rows) this.recent.add(messageId, payload);
      this.kick();
    });
  }

  start(): void {
    this.loop = this.run();
    this.sweeper = setInterval(() => void this.sweepInbox(), INBOX_SWEEP_MS);
    this.sweeper.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.sweeper);
    this.stopping.abort();
    this.kick();
    await this.loop;
  }

  kick(): void {
    this.woken = true;
    this.wake();
  }

  private async run(): Promise<void> {
    for (let failures = 0; !this.stopping.signal.aborted;) {
      this.woken = false;
      try {
        const sent = await this.relayBatch();
        failures = 0;
        if (sent < BATCH_ROWS_MAX && !this.woken) await this.nap();
      } catch (error) {
        failures += 1;
        this.logger.warn(`cannot publish: ${messageOf(error)}; trying again`);
        await sleep(backoffMs(failures, RETRY, 0.5), this.stopping.signal);
      }
    }
  }

  private nap(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LOOK_AGAIN_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /**
   * Rows are taken out before they are sent and gone for good only when the broker has them all: until
   * then they are locked, so several replicas of a service share the work.
   */
  private relayBatch(): Promise<number> {
    return this.database.transaction(async (db) => {
      const recent = this.recent.all();
      const [rows]: [Row[], number] = await db.query(
        `DELETE FROM outbox WHERE id IN (
           SELECT id FROM outbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
         ) RETURNING id, message_id, subject, content_type,
           CASE WHEN message_id = ANY($2::text[]) THEN NULL ELSE payload::text END AS payload`,
        [BATCH_ROWS_MAX, [...recent.keys()]],
      );
      rows.sort((a, b) => Number(a.id) - Number(b.id));
      await Promise.all(
        rows.map((row) => this.publish(row, row.payload ?? recent.get(row.message_id)!)),
      );
      for (const row of rows) this.recent.forget(row.message_id);
      return rows.length;
    });
  }

  private publish(row: Row, payload: string): Promise<void> {
    return this.publisher.publish({
      subject: row.subject,
      payload: new JsonText(payload),
      id: row.message_id,
      contentType: row.content_type,
    });
  }

  private async sweepInbox(): Promise<void> {
    await this.database
      .query(`DELETE FROM inbox WHERE handled_at < now() - $1::interval`, [INBOX_KEPT])
      .catch((error: unknown) => this.logger.warn(`inbox: ${messageOf(error)}`));
  }
}
