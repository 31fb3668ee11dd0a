import { hostname } from 'node:os';
import type { HealthReport } from '#contracts/health.js';
import { messageOf } from '#kernel/errors.js';
import type { Nats } from '#messaging/connection.js';
import type { ServiceDatabase } from './database.js';

export interface HealthOptions {
  readonly service: string;
  readonly instance: string;
  readonly version: string;
  readonly startedAt: Date;
}

/** Answers `health`: whether the service and what it depends on work. */
export class Health {
  private readonly more: (() => Promise<HealthReport['checks']>)[] = [];

  constructor(
    private readonly options: HealthOptions,
    private readonly nats: Nats,
    private readonly database: Pick<ServiceDatabase, 'version'> | undefined,
  ) {}

  /** Adds checks of the service's own, which do not throw. */
  include(checks: () => Promise<HealthReport['checks']>): void {
    this.more.push(checks);
  }

  async report(): Promise<HealthReport> {
    const { startedAt, ...names } = this.options;
    const own = await Promise.all(this.more.map((checks) => checks()));
    return {
      ...names,
      host: hostname(),
      pid: process.pid,
      startedAt: startedAt.toISOString(),
      residentBytes: process.memoryUsage.rss(),
      checks: [
        this.broker(),
        ...(this.database ? [await databaseCheck(this.database)] : []),
        ...own.flat(),
      ],
    };
  }

  private broker() {
    const ok = this.nats.connected;
    const info = this.nats.connection.info;
    return {
      name: 'nats',
      ok,
      text: ok ? `nats-server ${info?.version ?? ''}` : 'the connection is down; reconnecting',
    };
  }
}

async function databaseCheck(database: Pick<ServiceDatabase, 'version'>) {
  try {
    return { name: 'postgres', ok: true, text: `PostgreSQL ${await database.version()}` };
  } catch (error) {
    return { name: 'postgres', ok: false, text: messageOf(error) };
  }
}
