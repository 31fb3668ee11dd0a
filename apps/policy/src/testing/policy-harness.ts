import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { natsUsers } from '#contracts/permissions.js';
import { CONSUMERS, STREAMS } from '#contracts/streams.js';
import { Nats } from '#messaging/connection.js';
import { Topology } from '#messaging/topology.js';
import { startService, type RunningService } from '#service/run-service.js';
import { startNats, type TestNats } from '../../../../test/support/nats.js';
import { startPostgres, type TestPostgres } from '../../../../test/support/postgres.js';
import { temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { policyDefinition } from '../policy.definition.js';
import { JobManagerOnTheWire } from './job-manager-on-the-wire.js';

/** The services, their database and the test share a machine that may be busy. */
const ANSWER_MS_MAX = 60_000;

export interface Reply {
  readonly body: Record<string, unknown>;
  readonly error: { status: number; message: string; field?: string } | undefined;
}

export interface Due {
  readonly schedule: string;
  readonly client: string;
  readonly dueAt: string | null;
  readonly reason: string;
  readonly running: number | null;
  readonly goesOn: number | null;
}

/** Two replicas of the policy service with real servers, and a job manager on the wire. */
export class PolicyHarness {
  jobs!: JobManagerOnTheWire;
  plain!: NatsConnection;
  private readonly open: (() => Promise<void>)[] = [];
  private readonly services: RunningService[] = [];

  private constructor(
    readonly nats: TestNats,
    readonly postgres: TestPostgres,
  ) {}

  static async start(): Promise<PolicyHarness> {
    const [nats, postgres] = await Promise.all([
      startNats({ users: natsUsers({ media: [], clients: [] }) }),
      startPostgres(),
    ]);
    const harness = new PolicyHarness(nats, postgres);
    const topology = new Topology(await harness.connect('topology'));
    await topology.ensureStreams(STREAMS);
    await topology.ensureConsumers(CONSUMERS);
    harness.jobs = new JobManagerOnTheWire(await harness.connect('jobs'));
    // Two replicas: both have a scheduler, and requests go to either.
    await harness.startReplica();
    await harness.startReplica();
    harness.plain = await nats.connect('operator');
    return harness;
  }

  async stop(): Promise<void> {
    for (const service of this.services) await service.stop();
    for (const close of this.open) await close();
    await Promise.all([this.nats.stop(), this.postgres.stop()]);
  }

  async connect(user: string): Promise<Nats> {
    const connection = await Nats.connect({ ...this.nats.login(user), clientName: 'spec' });
    this.open.push(() => connection.close());
    return connection;
  }

  async startReplica(): Promise<void> {
    const seedFile = join(await temporaryFolder(), 'policy.nk');
    writeFileSync(seedFile, this.nats.login('policy').seed);
    const service = await startService(policyDefinition, {
      HOLDFAST_NATS_URL: this.nats.url,
      HOLDFAST_NATS_USER: 'policy',
      HOLDFAST_NATS_SEED_FILE: seedFile,
      HOLDFAST_DATABASE_URL: this.postgres.url,
      HOLDFAST_POLICY_TICK_SECONDS: '1',
      HOLDFAST_POLICY_ASK_SECONDS: '3',
    });
    this.services.push(service);
  }

  async ask(endpoint: string, request: unknown): Promise<Reply> {
    const subject = `hf.svc.v1.policy.${endpoint}`;
    const reply = await this.plain.request(subject, JSON.stringify(request), {
      timeout: ANSWER_MS_MAX,
    });
    const body = reply.json<Record<string, unknown>>();
    return { body, error: body['error'] as Reply['error'] };
  }

  /** What all micro services answer: `PING` or `INFO`. */
  async micro(verb: string): Promise<Record<string, unknown>> {
    return (await this.plain.request(`$SRV.${verb}.policy`, '', { timeout: ANSWER_MS_MAX })).json();
  }

  put(policy: Record<string, unknown>, create = false): Promise<Reply> {
    return this.ask('put', {
      policy: { clients: ['web1'], selections: ['/etc'], ...policy },
      create,
    });
  }

  async dueOf(policy: string): Promise<Due[]> {
    return (await this.ask('due', { policy })).body['due'] as Due[];
  }

  /** The numbers of the jobs that a policy has asked for. */
  jobsOf(policy: string): number[] {
    const { requests } = this.jobs;
    return requests.flatMap((request, index) => (request.policy === policy ? [index + 1] : []));
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
