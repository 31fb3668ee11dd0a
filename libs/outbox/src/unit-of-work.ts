import type { DataSource, EntityManager } from 'typeorm';
import { subjectOf, type Message, type PayloadOf } from '#contracts/contract.js';
import { CLOUD_EVENT_CONTENT_TYPE, envelope } from '#contracts/event.js';
import type { Clock } from '#kernel/clock.js';
import { uuidv7 } from '#kernel/ids.js';

/** What a handler may do inside its transaction. */
export interface Work {
  readonly db: EntityManager;
  /**
   * Sends a private message once the transaction has committed. `ids` fill its subject.
   * @throws MessageTooLarge: the transaction then has to fail, too
   */
  send<M extends Message>(contract: M, ids: readonly string[], payload: PayloadOf<M>): void;
  /** Publishes a public event, wrapped as a CloudEvent, once the transaction has committed. */
  announce<M extends Message>(contract: M, id: string, data: PayloadOf<M>): void;
  /** Tells an event, likewise, to whoever listens just then: nobody keeps it, and it may be lost. */
  tell<M extends Message>(contract: M, id: string, data: PayloadOf<M>): void;
}

export interface OutboxRow {
  readonly messageId: string;
  readonly subject: string;
  readonly contentType: string;
  /** JSON. */
  readonly payload: string;
}

/** Thrown where a message is sent or announced that no broker will ever take. */
export class MessageTooLarge extends Error {
  override readonly name = 'MessageTooLarge';
}

/** As it stands in the table. */
export interface CommittedRow extends OutboxRow {
  readonly id: string;
}

/** The broker takes 1 MiB (`max_payload`), headers included. */
const MESSAGE_BYTES_MAX = 1_040_000;
/** A statement has at most 65,535 parameters. */
const INSERT_ROWS_MAX = 1_000;

/**
 * State and messages change together: inbox, effects and outbox in one transaction. So a message is
 * neither lost (state saved, nothing sent) nor a ghost (sent, state rolled back).
 */
export class UnitOfWork {
  private onCommit: (rows: readonly CommittedRow[]) => void = () => undefined;
  private onTold: (events: readonly OutboxRow[]) => void = () => undefined;

  constructor(
    private readonly database: DataSource,
    private readonly clock: Clock,
    /** The service's name, for events' `source`. */
    private readonly source: string,
  ) {}

  /** The relay is told after each commit that has something to send. */
  whenCommitted(notify: (rows: readonly CommittedRow[]) => void): void {
    this.onCommit = notify;
  }

  /** ... and after each that has something to tell. */
  whenTold(notify: (events: readonly OutboxRow[]) => void): void {
    this.onTold = notify;
  }

  async run<T>(work: (work: Work) => Promise<T>): Promise<T> {
    const rows: OutboxRow[] = [];
    const told: OutboxRow[] = [];
    const { value, committed } = await this.database.transaction(async (db) => ({
      value: await work(this.workIn(db, rows, told)),
      committed: await insertOutbox(db, rows),
    }));
    if (committed.length > 0) this.onCommit(committed);
    if (told.length > 0) this.onTold(told);
    return value;
  }

  /** As `run`, but a message id that was handled before changes nothing. */
  async once(messageId: string, work: (work: Work) => Promise<void>): Promise<void> {
    await this.run(async (unit) => {
      const inserted: unknown[] = await unit.db.query(
        'INSERT INTO inbox (message_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING 1',
        [messageId],
      );
      if (inserted.length > 0) await work(unit);
    });
  }

  private workIn(db: EntityManager, rows: OutboxRow[], told: OutboxRow[]): Work {
    return {
      db,
      send: (contract, ids, payload) => {
        rows.push(
          sendable({
            messageId: uuidv7(this.clock.now()),
            subject: subjectOf(contract, ...ids),
            contentType: 'application/json',
            payload: JSON.stringify(payload),
          }),
        );
      },
      announce: (contract, id, data) => rows.push(this.event(contract, id, data)),
      tell: (contract, id, data) => told.push(this.event(contract, id, data)),
    };
  }

  private event(contract: Message, subject: string, data: unknown): OutboxRow {
    const time = this.clock.now();
    const id = uuidv7(time);
    const event = envelope(contract, { id, source: this.source, subject, time, data });
    return sendable({
      messageId: id,
      subject: subjectOf(contract, subject),
      contentType: CLOUD_EVENT_CONTENT_TYPE,
      payload: JSON.stringify(event),
    });
  }
}

/**
 * One that the broker will never take would stay in the outbox for ever, and all behind it: better that
 * nothing of its transaction happens.
 */
function sendable(row: OutboxRow): OutboxRow {
  const bytes = Buffer.byteLength(row.payload);
  if (bytes <= MESSAGE_BYTES_MAX) return row;
  throw new MessageTooLarge(
    `a message of ${bytes} bytes on ${row.subject} does not fit: at most ${MESSAGE_BYTES_MAX}`,
  );
}

/** Rows are few and may be long: as plain values they need no quoting, as elements of arrays they do. */
async function insertOutbox(
  db: EntityManager,
  rows: readonly OutboxRow[],
): Promise<CommittedRow[]> {
  const ids = new Map<string, string>();
  for (let from = 0; from < rows.length; from += INSERT_ROWS_MAX) {
    const some = rows.slice(from, from + INSERT_ROWS_MAX);
    const places = some.map(
      (_, n) => `($${4 * n + 1}, $${4 * n + 2}, $${4 * n + 3}, $${4 * n + 4}::json)`,
    );
    const inserted: { id: string; message_id: string }[] = await db.query(
      `INSERT INTO outbox (message_id, subject, content_type, payload) VALUES ${places.join()}
       RETURNING id, message_id`,
      some.flatMap((row) => [row.messageId, row.subject, row.contentType, row.payload]),
    );
    for (const { id, message_id } of inserted) ids.set(message_id, id);
  }
  return rows.map((row) => ({ ...row, id: ids.get(row.messageId)! }));
}
