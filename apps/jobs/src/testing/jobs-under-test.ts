import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { JobView } from '#contracts/job.js';
import { CONSUMERS, STREAMS } from '#contracts/streams.js';
import { Nats } from '#messaging/connection.js';
import { Topology } from '#messaging/topology.js';
import { startService, type RunningService } from '#service/run-service.js';
import { until } from '../../../../test/support/until.js';
import { startNats, type TestNats } from '../../../../test/support/nats.js';
import { startPostgres, type TestPostgres } from '../../../../test/support/postgres.js';
import { temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { jobsDefinition } from '../jobs.definition.js';
import { ResourcesOnTheWire } from './resources-on-the-wire.js';

/** The service, its database and the test share a machine that may be busy. */
const ANSWER_MS_MAX = 60_000;

/** A job manager with real servers, and everybody else as raw answers on their subjects. */
export class JobsUnderTest {
  readonly others: ResourcesOnTheWire;
  /** Public events of jobs, in order. */
  readonly events: { type: string; subject: string }[] = [];
  private service: RunningService | undefined;

  private constructor(
    private readonly server: TestNats,
    readonly postgres: TestPostgres,
    private readonly environment: Record<string, string>,
    readonly nats: NatsConnection,
  ) {
    this.others = new ResourcesOnTheWire(nats);
    nats.subscribe('hf.evt.v1.job.>', {
      callback: (_, msg) => void this.events.push(msg.json<{ type: string; subject: string }>()),
    });
  }

  static async start(more: Record<string, string> = {}): Promise<JobsUnderTest> {
    Logger.overrideLogger(false);
    const [server, postgres] = await Promise.all([startNats(), startPostgres()]);
    const { url, user, seed } = server.login();
    const seedFile = join(await temporaryFolder(), 'test.nk');
    writeFileSync(seedFile, seed);
    const nats = await Nats.connect({ url, user, seed, clientName: 'topology' });
    await new Topology(nats).ensureStreams(STREAMS);
    await new Topology(nats).ensureConsumers(CONSUMERS);
    await nats.close();
    const environment = {
      HOLDFAST_NATS_URL: url,
      HOLDFAST_NATS_USER: user,
      HOLDFAST_NATS_SEED_FILE: seedFile,
      HOLDFAST_DATABASE_URL: postgres.url,
      // Here hardly anybody reports in time: a test about silence sets its own.
      HOLDFAST_SILENCE_MS_MAX: '600000',
      HOLDFAST_RETRY_FIRST_MS: '200',
      HOLDFAST_DRAIN_TRIES: '3',
      HOLDFAST_DRAIN_PAUSE_MS: '50',
      ...more,
    };
    const under = new JobsUnderTest(server, postgres, environment, await server.connect());
    await under.nats.flush();
    await under.startService();
    return under;
  }

  async startService(): Promise<void> {
    this.service = await startService(jobsDefinition, this.environment);
  }

  async stopService(): Promise<void> {
    await this.service?.stop();
    this.service = undefined;
  }

  async stop(): Promise<void> {
    await this.stopService();
    await this.server.stop();
    await this.postgres.stop();
    Logger.overrideLogger(['error', 'warn', 'log']);
  }

  /** Everybody answers, and nothing was asked yet. */
  reset(): void {
    Object.assign(this.others, { brokerAway: false, busy: false, complete: true });
    Object.assign(this.others, { nextNumber: 1, open: 0, mediaAway: false });
    Object.assign(this.others, { catalogAway: false, committed: 0 });
    Object.assign(this.others, { selections: ['/etc'], builtOn: [], notAbandoned: 0 });
    this.others.leaseMs = 3_600_000;
    this.others.asked.length = 0;
    this.others.tasks.length = 0;
  }

  /** What a test leaves running would speak in the next one. */
  async endAll(): Promise<void> {
    Object.assign(this.others, { brokerAway: false, catalogAway: false, complete: true });
    const { jobs } = await this.ask<{ jobs: JobView[] }>('list', {});
    for (const { job } of jobs.filter(({ state }) => state !== 'done')) {
      await this.ask('cancel', { job });
      await this.done(job);
    }
  }

  async ask<T>(endpoint: string, body: object): Promise<T> {
    return (await this.request(`hf.svc.v1.jobs.${endpoint}`, body)).json<T>();
  }

  request(subject: string, body: object): Promise<Msg> {
    return this.nats.request(subject, JSON.stringify(body), { timeout: ANSWER_MS_MAX });
  }

  async submit(more: object = {}): Promise<number> {
    const request = { client: 'web1', selections: ['/etc'], ...more };
    return (await this.ask<{ job: number }>('backup', request)).job;
  }

  async view(job: number): Promise<JobView> {
    return (await this.ask<{ job: JobView }>('get', { job })).job;
  }

  until(job: number, reached: (view: JobView) => boolean): Promise<JobView> {
    return until(() => this.view(job), { is: reached });
  }

  running(job: number, attempt = 1): Promise<JobView> {
    return this.until(job, (view) => view.operation === 'moving data' && view.attempt === attempt);
  }

  done(job: number): Promise<JobView> {
    return this.until(job, ({ state }) => state === 'done');
  }

  report(job: number, from: string, status: number, more: object = {}): Promise<{ goOn: boolean }> {
    return this.ask('report', {
      ...{ job, attempt: 1, from, instance: from === 'media' ? 'm1' : 'web1' },
      ...more,
      lines: [
        { at: new Date().toISOString(), process: from, pid: 1, severity: 'info', text: 'hello' },
      ],
      result: { status, message: '', fragments: 1, files: 2, bytes: 3 },
    });
  }

  async logOf(job: number): Promise<string> {
    const { log } = await this.ask<{ log: { text: string }[] }>('get', { job });
    return log.map(({ text }) => text).join('\n');
  }

  /** What the world was told of a job so far, in order; events come behind what they tell of. */
  told(job: number): string[] {
    return this.events
      .filter(({ subject }) => subject === String(job))
      .map(({ type }) => type.replace(/^io\.holdfast\.job\.|\.v1$/g, ''));
  }

  /** What an endpoint was asked about a job. */
  asked(endpoint: string, job: number): Record<string, unknown>[] {
    return this.others.asked
      .filter((one) => one.endpoint === endpoint && one.request['job'] === job)
      .map(({ request }) => request);
  }
}
