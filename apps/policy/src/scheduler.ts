import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Clock } from '#kernel/clock.js';
import { messageOf } from '#kernel/errors.js';
import { Repeating } from '#kernel/repeating.js';
import type { Startable } from '#service/lifecycle.js';
import { Agendas } from './agendas.js';
import { PolicySettings } from './config.js';
import { submissions, type Entry } from './domain/due/agenda.js';
import { parallel } from './parallel.js';
import { Submitter } from './submitter.js';

/** Jobs that one tick submits at most; the rest follows with the next. */
const SUBMISSIONS_MAX = 500;
const SUBMISSIONS_AT_ONCE = 8;

/**
 * Submits what is due, and has gone on with what is incomplete. A crash between a job and its record does no harm: the same run has the same
 * request id, so the next tick gets the same job again.
 */
@Injectable()
export class Scheduler implements Startable {
  private readonly logger = new Logger('scheduler');
  private readonly rounds: Repeating;

  constructor(
    private readonly database: DataSource,
    private readonly agendas: Agendas,
    private readonly submitter: Submitter,
    private readonly clock: Clock,
    private readonly settings: PolicySettings,
  ) {
    this.rounds = new Repeating({
      everyMs: () => settings.tickMs,
      work: (signal) => this.alone(() => this.submitDue(signal)),
      onError: (error) =>
        this.logger.warn(`not everything that is due was submitted: ${messageOf(error)}`),
    });
  }

  start(): void {
    this.rounds.start();
  }

  stop(): Promise<void> {
    return this.rounds.stop();
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
    const entries = await this.due();
    await parallel(entries.slice(0, SUBMISSIONS_MAX), SUBMISSIONS_AT_ONCE, async (entry) => {
      if (signal.aborted) return;
      if (entry.goesOn === undefined) await this.submitter.submitDue(entry);
      else await this.submitter.goOn(entry);
    });
  }
}
