import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import pg from 'pg';
import { natsUsers } from '#contracts/permissions.js';
import { CONSUMERS, STREAMS } from '#contracts/streams.js';
import { Nats } from '#messaging/connection.js';
import { Topology } from '#messaging/topology.js';
import { startService, type RunningService } from '#service/run-service.js';
import { startNats, type TestNats } from '../../../../test/support/nats.js';
import { startPostgres, type TestPostgres } from '../../../../test/support/postgres.js';
import { removeFolder, temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { brokerDefinition } from '../broker.definition.js';

/** The service, its database and the test share a machine that may be busy. */
const ANSWER_MS_MAX = 60_000;

export interface Reply {
  readonly body: Record<string, unknown>;
  readonly error: { status: number; message: string; field?: string } | undefined;
}

export interface HeardEvent {
  readonly subject: string;
  readonly data: Record<string, unknown>;
}

/** Replicas of the real service on real servers, with the rights that services really have. */
export class RunningBroker {
  readonly events: HeardEvent[] = [];
  private readonly services: RunningService[] = [];

  private constructor(
    readonly nats: TestNats,
    readonly postgres: TestPostgres,
    readonly plain: NatsConnection,
    private readonly folder: string,
  ) {}

  static async start(options: { replicas: number; leaseSeconds: number }): Promise<RunningBroker> {
    const [nats, postgres] = await Promise.all([
      startNats({ users: natsUsers({ media: ['m1'], clients: ['web1'] }) }),
      startPostgres(),
    ]);
    await ensureTopology(nats);
    const [plain, folder] = [await nats.connect('operator'), await temporaryFolder()];
    const broker = new RunningBroker(nats, postgres, plain, folder);
    for (let replica = 0; replica < options.replicas; replica += 1) {
      broker.services.push(await broker.startReplica(options.leaseSeconds));
    }
    broker.plain.subscribe('hf.evt.v1.>', {
      callback: (_error, message) => {
        const { data } = message.json<{ data: Record<string, unknown> }>();
        broker.events.push({ subject: message.subject, data });
      },
    });
    await broker.plain.flush();
    return broker;
  }

  async stop(): Promise<void> {
    for (const service of this.services) await service.stop();
    await Promise.all([this.nats.stop(), this.postgres.stop()]);
    await removeFolder(this.folder);
  }

  async ask(endpoint: string, request: unknown): Promise<Reply> {
    const body = typeof request === 'string' ? request : JSON.stringify(request);
    const subject = `hf.svc.v1.broker.${endpoint}`;
    const reply = await this.plain.request(subject, body, { timeout: ANSWER_MS_MAX });
    const answer = reply.json<Record<string, unknown>>();
    return { body: answer, error: answer['error'] as Reply['error'] };
  }

  /** What all micro services answer: `PING`, `INFO` or `STATS`. */
  async micro(verb: string): Promise<Record<string, unknown>> {
    return (await this.plain.request(`$SRV.${verb}.broker`, '', { timeout: ANSWER_MS_MAX })).json();
  }

  mediaBeat(id: string, pools: readonly string[] = ['main'], usedPercent = 50): Promise<Reply> {
    return this.ask('heartbeat', {
      role: 'media',
      id,
      host: `${id}.local`,
      version: '0.1.0',
      address: { host: '127.0.0.1', port: 4_000 },
      volumes: pools.map((pool) => ({
        pool,
        path: `/data/${pool}`,
        freeBytes: Math.round((2 ** 42 * (100 - usedPercent)) / 100),
        totalBytes: 2 ** 42,
      })),
    });
  }

  write(job: number, options: Record<string, unknown> = {}): Promise<Reply> {
    const request = { purpose: 'write', job, attempt: 1, client: 'web1', unit: 'default' };
    return this.ask('allocate', { ...request, ...options });
  }

  release(job: number, attempt = 1): Promise<Reply> {
    return this.ask('release', { job, attempt });
  }

  heardGrantOf(job: number): boolean {
    return this.heard(`allocation.granted.${job}`) !== undefined;
  }

  /** The first event on `hf.evt.v1.<subject>` whose data fit. */
  heard(subject: string, data: Record<string, unknown> = {}): HeardEvent | undefined {
    return this.events.find(
      (event) =>
        event.subject === `hf.evt.v1.${subject}` &&
        Object.entries(data).every(([key, value]) => event.data[key] === value),
    );
  }

  async inDatabase(sql: string, values: unknown[]): Promise<void> {
    const client = new pg.Client({ connectionString: this.postgres.superuserUrl });
    await client.connect();
    await client.query(sql, values);
    await client.end();
  }

  private async startReplica(leaseSeconds: number): Promise<RunningService> {
    const seedFile = join(this.folder, 'broker.nk');
    writeFileSync(seedFile, this.nats.login('broker').seed);
    return startService(brokerDefinition, {
      HOLDFAST_NATS_URL: this.nats.url,
      HOLDFAST_NATS_USER: 'broker',
      HOLDFAST_NATS_SEED_FILE: seedFile,
      HOLDFAST_DATABASE_URL: this.postgres.url,
      HOLDFAST_BROKER_LEASE_SECONDS: String(leaseSeconds),
      HOLDFAST_BROKER_EVALUATE_SECONDS: '1',
    });
  }
}

async function ensureTopology(nats: TestNats): Promise<void> {
  const admin = await Nats.connect({ ...nats.login('topology'), clientName: 'spec' });
  const topology = new Topology(admin);
  await topology.ensureStreams(STREAMS);
  await topology.ensureConsumers(CONSUMERS);
  await admin.close();
}
