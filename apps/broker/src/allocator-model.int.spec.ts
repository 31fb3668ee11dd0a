import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { DataSource, EntityManager } from 'typeorm';
import { FixedClock } from '#kernel/clock.js';
import { PermanentError } from '#kernel/errors.js';
import { UnitOfWork } from '#outbox/unit-of-work.js';
import { useDatabase } from '#service/testing/use-database.js';
import { Allocator } from './allocator.js';
import { brokerConfig, BrokerConfig } from './config.js';
import { refusal } from './domain/refusal.js';
import type { ResourceRequest, WaitingRequest } from './domain/resource-request.js';
import type { Resources, ServerResource } from './domain/resources.js';
import { brokerSchema } from './persistence/broker-schema.js';
import { Configuration } from './persistence/configuration.js';
import { StorageUnits } from './persistence/storage-units.js';
import { BrokerModel, LEASE_MS } from './testing/broker-model.js';
import { anySequence, setUp } from './testing/random-commands.js';
import { anyResources, CLIENTS } from './testing/random-resources.js';
import { NOW } from './testing/sample-resources.js';

/** A model that remembers what it was asked, to ask the real one the same. */
class AskedModel extends BrokerModel {
  readonly asked: WaitingRequest[] = [];
  readonly refused: WaitingRequest[] = [];
  readonly renewed: number[] = [];
  readonly released: number[] = [];

  override request(request: WaitingRequest): WaitingRequest {
    const isWrong = refusal(request, this.resources()) !== undefined;
    const queued = super.request(request);
    if (isWrong) this.queue.pop();
    (isWrong ? this.refused : this.asked).push(queued);
    return queued;
  }

  override renew(job: number): void {
    super.renew(job);
    this.renewed.push(job);
  }

  override release(job: number): void {
    super.release(job);
    this.released.push(job);
  }
}

/** What is read outside of transactions, to wait for its end. */
class Reads {
  private readonly running = new Set<Promise<unknown>>();

  constructor(private readonly database: DataSource) {}

  get source(): DataSource {
    const query = (text: string, values?: unknown[]) => {
      const run = this.database.query<unknown>(text, values);
      this.running.add(run);
      return run.finally(() => this.running.delete(run));
    };
    return { manager: { query } as unknown as EntityManager } as DataSource;
  }

  async idle(): Promise<void> {
    while (this.running.size > 0) await Promise.allSettled(this.running);
  }
}

/** The allocator on a real database, driven in step with a model. */
class StoredBroker {
  private readonly requests = new Map<number, ResourceRequest>();

  constructor(
    private readonly database: DataSource,
    private readonly allocator: Allocator,
    private readonly clock: FixedClock,
    private readonly reads: Reads,
  ) {}

  async begin(model: BrokerModel): Promise<void> {
    await this.database.query(
      'TRUNCATE media_server, storage_unit, unit_group, client_limit, allocation, waiting, outbox',
    );
    const units = new StorageUnits(this.database.manager);
    for (const unit of model.units.values()) {
      await units.put(unit);
      await units.setFull(unit.name, unit.full);
    }
    await units.setChosen(new Map([...model.units].map(([name, { chosen }]) => [name, chosen])));
    await this.configure(model);
    await this.allocator.evaluate();
  }

  /** Does what the model has done since. */
  async follow(model: AskedModel): Promise<void> {
    this.clock.advance(model.now.getTime() - this.clock.now().getTime());
    for (const job of model.renewed.splice(0)) {
      const answer = await this.allocator.allocate(this.requests.get(job)!);
      expect(answer.state).toBe('granted');
    }
    for (const job of model.released.splice(0)) await this.allocator.release({ job, attempt: 1 });
    await this.configure(model);
    await this.ask(model.asked.splice(0), model.refused.splice(0));
    await this.allocator.evaluate();
  }

  /**
   * All ask at the same time, and are answered together. The first one who asks would be answered
   * alone: so that is somebody without a need, who is held up until the others are there.
   */
  private async ask(asked: WaitingRequest[], refused: WaitingRequest[]): Promise<void> {
    const all = [...asked, ...refused].sort((a, b) => a.job - b.job);
    const runner = this.database.createQueryRunner();
    await runner.query(`SELECT pg_advisory_lock(hashtextextended('holdfast broker', 0))`);
    const nobody = { ...{ job: 1e9, attempt: 1, client: 'c1', unit: '-', priority: 0 } };
    const ends: Promise<boolean>[] = [];
    for (const request of [{ purpose: 'write' as const, ...nobody }, ...all]) {
      this.requests.set(request.job, request);
      ends.push(this.isTaken(request));
      await this.reads.idle();
    }
    await runner.query(`SELECT pg_advisory_unlock(hashtextextended('holdfast broker', 0))`);
    await runner.release();
    const taken = (await Promise.all(ends)).slice(1);
    expect(taken).toEqual(all.map((request) => asked.includes(request)));
  }

  /** Those who wait hear that they do; it changes nothing. */
  async askAgain(waiting: readonly WaitingRequest[]): Promise<void> {
    for (const request of waiting) {
      expect(await this.allocator.allocate(request)).toMatchObject({ state: 'queued' });
    }
  }

  private async isTaken(request: ResourceRequest): Promise<boolean> {
    try {
      await this.allocator.allocate(request);
      return true;
    } catch (error) {
      if (error instanceof PermanentError) return false;
      throw error;
    }
  }

  async state() {
    const held: Record<string, unknown>[] = await this.database.query(
      'SELECT job::integer, unit, media, lease_until FROM allocation ORDER BY job',
    );
    const waiting: { job: number }[] = await this.database.query(
      'SELECT job::integer FROM waiting ORDER BY arrival',
    );
    const units = await this.database.query<object[]>(
      'SELECT name, is_full AS full, chosen::integer FROM storage_unit ORDER BY name',
    );
    return { held, waiting: waiting.map(({ job }) => job), units };
  }

  private async configure({ servers, units, groups, clientLimits }: BrokerModel): Promise<void> {
    const db = this.database.manager;
    for (const server of servers.values()) await this.putServer(server);
    for (const unit of units.values()) {
      await new StorageUnits(db).put(unit);
      await new StorageUnits(db).setDrained(unit.name, unit.drained);
    }
    for (const group of groups.values()) await new Configuration(db).putGroup(group);
    for (const [client, max] of clientLimits) await new Configuration(db).setLimit(client, max);
  }

  private async putServer({ mediaId, lastSeenAt, drained, pools }: ServerResource): Promise<void> {
    const volumes = [...pools].map(([pool, { drives, ...size }]) => ({
      ...{ pool, path: '/data', ...size },
      ...(drives === null ? {} : { class: 'sequential', drives }),
    }));
    await this.database.query(
      `INSERT INTO media_server (media_id, host, version, address, volumes, last_seen_at, drained)
       VALUES ($1, 'h', '1', '{"host":"h","port":1}', $2, $3, $4) ON CONFLICT (media_id) DO UPDATE SET
         volumes = EXCLUDED.volumes, last_seen_at = EXCLUDED.last_seen_at, drained = EXCLUDED.drained`,
      [mediaId, JSON.stringify(volumes), lastSeenAt, drained],
    );
  }
}

function stateOf(model: BrokerModel) {
  return {
    held: model.held
      .map(({ grant: { job, place }, leaseUntil }) => {
        return { job, unit: place.unit, media: [...place.media], lease_until: leaseUntil };
      })
      .sort((a, b) => a.job - b.job),
    waiting: model.queue.map(({ job }) => job).sort((a, b) => a - b),
    units: [...model.units.values()]
      .map(({ name, full, chosen }) => ({ name, full, chosen }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

const database = await useDatabase(brokerSchema, 4);

describe('the allocator on a database', () => {
  beforeAll(async () => {
    await database.query(`INSERT INTO client SELECT unnest($1::text[]), 'h', '1', now()`, [
      CLIENTS,
    ]);
  });

  async function stored(all: Resources): Promise<{ model: AskedModel; real: StoredBroker }> {
    const model = setUp(new AskedModel(NOW), all);
    const clock = new FixedClock(NOW);
    const config = new BrokerConfig(
      brokerConfig.parse({
        HOLDFAST_BROKER_LEASE_SECONDS: LEASE_MS / 1_000,
        HOLDFAST_BROKER_CLIENT_JOBS_MAX: model.clientJobsMax,
      }),
    );
    const unitOfWork = new UnitOfWork(database, clock, 'broker');
    const reads = new Reads(database);
    const allocator = new Allocator(reads.source, unitOfWork, clock, config);
    const real = new StoredBroker(database, allocator, clock, reads);
    await real.begin(model);
    model.evaluate();
    return { model, real };
  }

  it('does what the plan in memory does, whatever is asked, given back, changed or lost', async () => {
    await fc.assert(
      fc.asyncProperty(anyResources, anySequence, async (all, commands) => {
        const { model, real } = await stored(all);
        for (const command of commands) {
          command(model);
          model.evaluate();
          await real.follow(model);
          expect(await real.state()).toEqual(stateOf(model));
          await real.askAgain([...model.queue.slice(0, 1), ...model.queue.slice(-1)]);
        }
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });
});
