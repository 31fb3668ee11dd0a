import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { subjectOf, subjectToken, type InputOf } from '#contracts/contract.js';
import { jobsReport } from '#contracts/job.js';
import { natsUsers } from '#contracts/permissions.js';
import { STREAMS } from '#contracts/streams.js';
import { agentTaskMessage, type AgentTask } from '#contracts/task.js';
import { SystemClock } from '#kernel/clock.js';
import { Nats } from '#messaging/connection.js';
import { Requests } from '#messaging/requests.js';
import { Topology } from '#messaging/topology.js';
import { until } from '../../../test/support/until.js';
import { startNats, type TestNats } from '../../../test/support/nats.js';
import type { BackupTask } from './backup-task.js';
import { agentConfig, AgentConfig } from './config.js';
import type { RestoreTask } from './restore-task.js';
import { TaskListener } from './task-listener.js';
import { TaskRunner } from './task-runner.js';

const EVERYTHING = {
  name: 'test',
  permissions: { publish: ['>'], subscribe: ['>'] },
  responds: true,
};
const AT_WORK = 16;

type Report = InputOf<typeof jobsReport>;

/** Restores that go on until they are let go, each by its job. */
class HeldRestores {
  readonly begun: number[] = [];
  private readonly ends = new Map<number, () => void>();

  async run({ job }: { readonly job: number }) {
    this.begun.push(job);
    await new Promise<void>((resolve) => this.ends.set(job, resolve));
    return { status: 0, message: '' };
  }

  end(job: number): void {
    this.ends.get(job)!();
  }
}

describe('more tasks than an agent works at', () => {
  let server: TestNats;
  let plain: NatsConnection;
  let nats: Nats;
  let listener: TaskListener;
  const restores = new HeldRestores();
  const reports: Report[] = [];

  beforeAll(async () => {
    server = await startNats({
      users: [EVERYTHING, ...natsUsers({ media: [], clients: ['web1'] })],
    });
    const topology = await Nats.connect({ ...server.login('test'), clientName: 'topology' });
    await new Topology(topology).ensureStreams(STREAMS);
    await topology.close();
    plain = await server.connect('test');
    plain.subscribe(jobsReport.subject, {
      callback: (_, message) => {
        reports.push(message.json<Report>());
        message.respond(JSON.stringify({ goOn: true }));
      },
    });
    nats = await Nats.connect({ ...server.login('agent-web1'), clientName: 'agent' });
    const config = new AgentConfig(
      agentConfig.parse({ HOLDFAST_CLIENT: 'web1', HOLDFAST_AGENT_FOLDER: '/nowhere' }),
    );
    const runner = new TaskRunner(
      new Requests(nats),
      new SystemClock(),
      config,
      undefined as unknown as BackupTask,
      restores as unknown as RestoreTask,
    );
    listener = new TaskListener(nats, config, runner);
    listener.start();
  });
  afterAll(async () => {
    await listener?.stop();
    await nats?.close();
    await server?.stop();
  });

  const give = async (task: AgentTask) =>
    plain.request(
      subjectOf(agentTaskMessage, subjectToken('web1'), String(task.job)),
      JSON.stringify(task),
      { timeout: 60_000 },
    );
  const restore = (job: number) =>
    give({
      ...{ type: 'restore', job, attempt: 1, chain: ['web1_1'], sources: [], paths: [] },
      ...{ destination: '/nowhere', overwrite: false },
    } as AgentTask);
  const of = (job: number) => reports.filter((report) => report.job === job);
  const waits = (job: number) => of(job).map(({ progress }) => progress?.waitingFor);

  it('are taken all the same: they say what they wait for, and begin in order or are cancelled', async () => {
    const jobs = Array.from({ length: AT_WORK + 3 }, (_, index) => index + 1);
    for (const job of jobs) await restore(job);
    const [first, second, third] = jobs.slice(AT_WORK) as [number, number, number];
    await until(() => [first, second, third].every((job) => of(job).length >= 2));
    expect(restores.begun).toEqual(jobs.slice(0, AT_WORK));
    expect(waits(second)).toContain('its turn on the client');
    await give({ type: 'cancel', job: first, attempt: 1 });
    await until(() => of(first).some(({ result }) => result?.status === 150));
    restores.end(5);
    await until(() => restores.begun.length > AT_WORK);
    expect(restores.begun.at(-1)).toBe(second);
    restores.end(second);
    await until(() => of(second).some(({ result }) => result?.status === 0));
    expect(waits(second)).toContain('');
    await until(() => restores.begun.includes(third));
    for (const job of restores.begun) restores.end(job);
  });
});
