import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  headers,
  type NatsConnection,
  type Payload,
  type PublishOptions,
} from '@nats-io/transport-node';
import { afterAll, beforeEach } from '@jest/globals';
import type { Endpoint } from '#contracts/contract.js';
import { envelope } from '#contracts/event.js';
import { jobDone, jobProgressed, type JobView } from '#contracts/job.js';
import { natsUsers } from '#contracts/permissions.js';
import { eventStream } from '#contracts/streams.js';
import { FixedClock } from '#kernel/clock.js';
import { Nats } from '#messaging/connection.js';
import { Topology } from '#messaging/topology.js';
import { ERROR_CODE_HEADER, ERROR_HEADER, toErrorBody } from '#messaging/wire-error.js';
import { until } from '../support/until.js';
import type { CliWorld } from '../../apps/cli/src/cli.js';
import { runCli } from '../../apps/cli/src/run-cli.js';
import { startNats, type TestNats } from '../support/nats.js';
import { temporaryFolder } from '../support/temporary-folder.js';

type Answer = (input: Record<string, unknown>) => unknown;

/** What one command line said and did. */
export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/**
 * A real nats-server with the real permissions, and services that a test makes up: plain
 * subscribers that answer raw JSON. The command line runs in this process against it.
 */
export class FakeCluster {
  /** Requests in the order in which they came. */
  readonly asked: { subject: string; input: unknown }[] = [];
  readonly clock = new FixedClock(new Date('2026-03-10T12:00:00Z'));
  /** What the last command line has said so far. */
  said = '';
  private readonly answers = new Map<string, Answer>();
  private interrupt: (() => void) | undefined;

  private constructor(
    readonly folder: string,
    private readonly nats: TestNats,
    private readonly services: NatsConnection,
  ) {}

  /** `deaf`: no service listens at all. */
  static async start({ deaf = false } = {}): Promise<FakeCluster> {
    const everything = { publish: ['>'], subscribe: ['>'] };
    const users = natsUsers({ media: ['media1'], clients: ['web1'] });
    const nats = await startNats({
      users: [{ name: 'services', permissions: everything, responds: true }, ...users],
    });
    const folder = await temporaryFolder();
    const fake = new FakeCluster(folder, nats, await nats.connect('services'));
    fake.writeFolder();
    await fake.makeStream();
    if (deaf) return fake;
    fake.services.subscribe('hf.svc.v1.>', {
      callback: (error, message) => {
        if (error) throw error;
        const input = message.json<Record<string, unknown>>();
        fake.asked.push({ subject: message.subject, input });
        const answer = fake.answers.get(message.subject);
        if (answer) message.respond(...reply(answer, input));
      },
    });
    await fake.services.flush();
    return fake;
  }

  /** From now on, this is the answer to an endpoint; what it throws is the error. */
  answer(endpoint: Endpoint, answer: Answer): void {
    this.answers.set(endpoint.subject, answer);
  }

  /** Whom `$SRV.STATS` finds from now on. */
  shows(instances: readonly object[]): void {
    this.services.subscribe('$SRV.STATS', {
      callback: (_, message) => {
        for (const instance of instances) message.respond(JSON.stringify(instance));
      },
    });
  }

  inputsOf(endpoint: Endpoint): unknown[] {
    return this.asked.filter(({ subject }) => subject === endpoint.subject).map((one) => one.input);
  }

  /** Publishes a job event as the job manager does. */
  publishJob(job: JobView): void {
    const contract = job.state === 'done' ? jobDone : jobProgressed;
    const event = envelope(contract, {
      id: `${job.job}-${job.progress.files}-${job.state}`,
      source: 'jobs',
      subject: String(job.job),
      time: new Date(),
      data: job,
    });
    this.services.publish(`${contract.prefix}.${job.job}`, JSON.stringify(event));
  }

  /** Resolves when an endpoint has been asked and has answered. */
  async untilAsked(endpoint: Endpoint): Promise<void> {
    await until(() => this.inputsOf(endpoint).length > 0);
    await this.flush();
  }

  /** What was published until now has reached the broker. */
  flush(): Promise<void> {
    return this.services.flush();
  }

  /** Ctrl-C, as soon as the command line listens for it. */
  async pressCtrlC(): Promise<void> {
    const interrupt = await until(() => this.interrupt);
    interrupt();
  }

  async run(...args: string[]): Promise<CliRun> {
    let out = '';
    let err = '';
    this.said = '';
    const sink = (write: (text: string) => void) => ({ write, isTerminal: false, columns: 80 });
    const world: CliWorld = {
      out: sink((text) => (this.said = out += text)),
      err: sink((text) => (err += text)),
      environment: { dataFolder: this.folder, databaseUrl: undefined, debug: false, plain: true },
      workingFolder: '/home/me',
      clock: this.clock,
      onInterrupt: (callback) => {
        this.interrupt = callback;
        return () => (this.interrupt = undefined);
      },
    };
    const code = await runCli(args, world);
    return { code, out, err };
  }

  /** SIGKILL for the broker. */
  kill(): Promise<void> {
    return this.nats.kill();
  }

  async stop(): Promise<void> {
    await this.nats.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private writeFolder(): void {
    for (const name of ['run', 'credentials']) mkdirSync(join(this.folder, name));
    const { url, seed } = this.nats.login('operator');
    writeFileSync(join(this.folder, 'credentials', 'operator.nk'), `${seed}\n`);
    const cluster = {
      natsUrl: url,
      pid: process.pid,
      startedAt: '2026-03-10T11:00:00.000Z',
      version: '0.1.0',
      client: 'web1',
      mediaId: 'media1',
    };
    writeFileSync(join(this.folder, 'run', 'cluster.json'), JSON.stringify(cluster));
  }

  private async makeStream(): Promise<void> {
    const nats = await Nats.connect({ ...this.nats.login('services'), clientName: 'test' });
    await new Topology(nats).ensureStreams([eventStream]);
    await nats.close();
  }
}

/** One for all tests of a file; each begins with nothing asked. */
export async function useFakeCluster(): Promise<FakeCluster> {
  const cluster = await FakeCluster.start();
  beforeEach(() => {
    cluster.asked.length = 0;
  });
  afterAll(() => cluster.stop());
  return cluster;
}

function reply(answer: Answer, input: Record<string, unknown>): [Payload, PublishOptions?] {
  try {
    return [JSON.stringify(answer(input))];
  } catch (error) {
    const body = toErrorBody(error);
    const head = headers();
    head.set(ERROR_HEADER, body.error.message);
    head.set(ERROR_CODE_HEADER, String(body.error.status));
    return [JSON.stringify(body), { headers: head }];
  }
}
