import { Logger } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { backoffMs, sleep } from '#kernel/backoff.js';
import { messageOf } from '#kernel/errors.js';
import { JsonText, type Outgoing, type Publisher } from '#messaging/publisher.js';
import { OwnRows } from './own-rows.js';
import { PublishedRows } from './published-rows.js';
import type { CommittedRow, OutboxRow, UnitOfWork } from './unit-of-work.js';

interface Row {
  readonly id: string;
  readonly message_id: string;
  readonly subject: string;
  readonly content_type: string;
  /** JSON, as text (also where an earlier version made the column of another type): it goes out as it is. */
  readonly payload: string;
}

/** A row may be a bundle of some hundred kilobytes. */
const BATCH_ROWS_MAX = 64;
/** How often the table is looked at for what nobody publishes: a process may have died. */
const LOOK_AGAIN_MS = 1_000;
/** Whoever committed a row has published it by then, or is no more. */
const OTHERS_ROWS_AGE = '2 s';
/**
 * At a start, what the last process left goes out before anything new. It is older than this by then,
 * since a process takes longer to start; what is younger is being published by another replica.
 */
const LEFT_BEHIND_AGE = '500 ms';
const ANY_AGE = '0 s';
/** While the broker is away; what waits goes out within this time of its return. */
const RETRY = { firstMs: 100, maxMs: 1_000, jitter: 0.5 };
const INBOX_KEPT = '14 days';
const INBOX_SWEEP_MS = 3_600_000;

/**
 * Publishes outbox rows in order and removes each a moment after the broker has it. What this process
 * commits goes out from memory; what a process that is no more has left is found in the table. A row may
 * go out twice (published, then a crash before its removal), so receivers are idempotent.
 */
export class OutboxRelay {
  private readonly logger = new Logger('outbox');
  private readonly stopping = new AbortController();
  private wake: () => void = () => undefined;
  private loop: Promise<void> = Promise.resolve();
  private sweeper: NodeJS.Timeout | undefined;
  private woken = false;
  private readonly own = new OwnRows();
  private readonly published: PublishedRows;
  /** There are rows in the table that are not among our own: those of this age come first. */
  private tableFirst: string | undefined = LEFT_BEHIND_AGE;
  private lookedAt = 0;

  constructor(
    private readonly database: DataSource,
    private readonly publisher: Publisher,
    unitOfWork: UnitOfWork,
  ) {
    this.published = new PublishedRows(database);
    unitOfWork.whenCommitted((rows) => {
      if (!this.own.add(rows)) this.tableFirst = ANY_AGE;
      this.kick();
    });
    unitOfWork.whenTold((events) => {
      for (const event of events) publisher.tell(toOutgoing(event));
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
    // The next process would publish them once more. Where the database is gone, it does.
    await this.published.remove().catch(() => undefined);
  }

  kick(): void {
    this.woken = true;
    this.wake();
  }

  private async run(): Promise<void> {
    for (let failures = 0; !this.stopping.signal.aborted;) {
      this.woken = false;
      try {
        const isMore = await this.relaySome();
        failures = 0;
        if (!isMore && !this.woken) await this.nap();
      } catch (error) {
        failures += 1;
        this.logger.warn(`cannot publish: ${messageOf(error)}; trying again`);
        await sleep(backoffMs(failures, RETRY, 0.5), this.stopping.signal);
      }
    }
  }

  /** True when there may be more. */
  private async relaySome(): Promise<boolean> {
    if (this.published.areDue) await this.published.remove();
    const age = this.tableFirst;
    if (age !== undefined) {
      // Else they would be found there, and go out again.
      await this.published.remove();
      this.tableFirst = undefined;
      try {
        if ((await this.relayTable(age)) > 0) this.tableFirst ??= age;
      } catch (error) {
        this.tableFirst ??= age;
        throw error;
      }
      return true;
    }
    // However much there is of our own: what others have left waits no longer for that.
    const others = await this.relayOthers();
    if (this.own.isEmpty) return others > 0;
    await this.relayOwn();
    return true;
  }

  /** Looks now and then, and again at once where there was more than one look takes. */
  private async relayOthers(): Promise<number> {
    const now = performance.now();
    if (now - this.lookedAt < LOOK_AGAIN_MS) return 0;
    this.lookedAt = now;
    // Those of our own that had to wait are as old: found there, they would go out again.
    await this.published.remove();
    const count = await this.relayTable(OTHERS_ROWS_AGE);
    if (count === BATCH_ROWS_MAX) this.lookedAt = -Infinity;
    return count;
  }

  private nap(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(LOOK_AGAIN_MS, this.published.dueInMs));
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private async relayOwn(): Promise<void> {
    const rows = this.own.first(BATCH_ROWS_MAX);
    await this.publish(rows);
    this.published.add(rows);
    this.own.forget(new Set(rows.map(({ id }) => id)));
  }

  /**
   * Rows are taken out before they are sent and gone for good only when the broker has them all: until
   * then they are locked, so several replicas of a service share the work.
   */
  private relayTable(age: string): Promise<number> {
    return this.database.transaction(async (db) => {
      const [rows]: [Row[], number] = await db.query(
        `DELETE FROM outbox WHERE id IN (
           SELECT id FROM outbox WHERE created_at <= now() - $2::interval
           ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
         ) RETURNING id, message_id, subject, content_type, payload::text`,
        [BATCH_ROWS_MAX, age],
      );
      const ordered = rows.sort((a, b) => Number(a.id) - Number(b.id));
      await this.publish(ordered.map(toCommitted));
      this.own.forget(new Set(rows.map(({ id }) => id)));
      return rows.length;
    });
  }

  private async publish(rows: readonly CommittedRow[]): Promise<void> {
    await Promise.all(rows.map((row) => this.publisher.publish(toOutgoing(row))));
  }

  private async sweepInbox(): Promise<void> {
    await this.database
      .query(`DELETE FROM inbox WHERE handled_at < now() - $1::interval`, [INBOX_KEPT])
      .catch((error: unknown) => this.logger.warn(`inbox: ${messageOf(error)}`));
  }
}

function toOutgoing({ subject, payload, messageId, contentType }: OutboxRow): Outgoing {
  return { subject, payload: new JsonText(payload), id: messageId, contentType };
}

function toCommitted({ id, message_id, subject, content_type, payload }: Row): CommittedRow {
  return { id, messageId: message_id, subject, contentType: content_type, payload };
}
