import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import { Agendas } from './agendas.js';
import { PolicyConfig } from './config.js';
import { requestIdOf, submissions, type Entry } from './domain/due/agenda.js';
import { parallel } from './parallel.js';
import { Submitter } from './submitter.js';

/** Jobs that one tick submits at most; the rest follows with the next. */
const SUBMISSIONS_MAX = 500;
const SUBMISSIONS_AT_ONCE = 8;
/** So many failures in a row are no fault of single jobs: the rest waits for the next tick. */
const FAILURES_MAX = 16;

/**
 * Submits what is due, and has gone on with what is incomplete. A crash between a job and its record does no harm: the same run has the same
 * request id, so the next tick gets the same job again.
 */
@Injectable()
export class Scheduler extends Repeating {
  private readonly logger = new Logger('scheduler');
  private tick = 0;
  /** In which tick what is due still has failed last, by its request id. */
  private failedIn = new Map<string, number>();

  constructor(
    private readonly database: DataSource,
    private readonly agendas: Agendas,
    private readonly submitter: Submitter,
    private readonly clock: Clock,
    private readonly config: PolicyConfig,
  ) {
    super({
      everyMs: () => config.tickMs,
      work: (signal) => this.alone(() => this.submitDue(signal)),
      onError: (error) =>
        this.logger.warn(`not everything that is due was submitted: ${messageOf(error)}`),
    });
  }

  /** Of all replicas one ticks. Its lock goes with its connection, so none is left behind. */
  private async alone(tick: () => Promise<void>): Promise<void> {
    await this.database.transaction(async (db) => {
      const rows: { mine: boolean }[] = await db.query(
        `SELECT pg_try_advisory_xact_lock(hashtextextended('holdfast scheduler', 0)) AS mine`,
      );
      if (rows[0]?.mine) await tick();
    });
  }

  private async due(): Promise<Entry[]> {
    const now = this.clock.now();
    return submissions(await this.agendas.read({ asked: now }), now);
  }

  private async submitDue(signal: AbortSignal): Promise<void> {
    const entries = this.inTurn(await this.due());
    const errors: unknown[] = [];
    let inARow = 0;
    await parallel(entries.slice(0, SUBMISSIONS_MAX), SUBMISSIONS_AT_ONCE, async (entry) => {
      if (signal.aborted || inARow >= FAILURES_MAX) return;
      try {
        await this.begin(entry);
        inARow = 0;
      } catch (error) {
        this.failedIn.set(requestIdOf(entry), this.tick);
        errors.push(error);
        inARow += 1;
      }
    });
    if (errors.length > 0) throw errors[0];
  }

  /** As it is, but what failed comes last, and of that what failed last: it starves nothing else. */
  private inTurn(due: readonly Entry[]): readonly Entry[] {
    this.tick += 1;
    const before = this.failedIn;
    this.failedIn = new Map();
    if (before.size === 0) return due;
    const turns = due.map((entry) => ({ entry, failedIn: before.get(requestIdOf(entry)) ?? 0 }));
    for (const { entry, failedIn } of turns) {
      if (failedIn > 0) this.failedIn.set(requestIdOf(entry), failedIn);
    }
    return turns.sort((a, b) => a.failedIn - b.failedIn).map(({ entry }) => entry);
  }

  private begin(entry: Entry): Promise<void> {
    return entry.goesOn === undefined
      ? this.submitter.submitDue(entry)
      : this.submitter.goOn(entry);
  }
}
