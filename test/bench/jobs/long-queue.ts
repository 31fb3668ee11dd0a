import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLIENT } from '../../cluster/cluster.js';
import { atMost, below, measurement, median, type Measurement } from '../measurement.js';
import type { TinyJobs } from './tiny-jobs.js';

const QUEUED = 10_000;
const ASKING_AT_ONCE = 64;
/** Jobs that are let through, one at a time, while the others wait. */
const LET_THROUGH = 50;
const LIST_ROUNDS = 20;
const LIST_ROWS = 100;
/** For as long as that the queue is left alone, to see what it costs to wait. */
const REST_MS = 20_000;
const WAIT_MS_MAX = 120_000;

interface Moment {
  readonly job: number;
  readonly at: number;
}

/** Ten thousand jobs that wait: how fast they come in, what they cost, and how soon the next one runs. */
export async function longQueue(tiny: TinyJobs): Promise<Measurement[]> {
  const { cluster } = tiny;
  await tiny.setSlots(1);
  await cluster.ask('broker.drain', { unit: 'default' });
  const events = await Moments.of(tiny);
  const before = controlMib(tiny);
  const perSecond = await submitAll(tiny);
  const filled = controlMib(tiny);
  await sleep(REST_MS);
  const rested = controlMib(tiny);
  const listMs = await medianMs(() => cluster.ask('jobs.list', { limit: LIST_ROWS }));
  const summaryMs = await medianMs(() => cluster.ask('jobs.summary'));
  await cluster.ask('broker.drain', { unit: 'default', drain: false });
  const nextMs = await events.toNext(LET_THROUGH);
  const page = `jobs list of ${QUEUED}, page of ${LIST_ROWS}`;
  return [
    measurement(
      { measure: `submit until ${QUEUED} jobs are queued`, unit: 'jobs/s', ours: perSecond },
      { text: 'at least 500 jobs/s', reached: (ours) => ours >= 500 },
    ),
    measurement(
      { measure: 'resources free to the next job active, median', unit: 'ms', ours: nextMs },
      below(50, 'ms'),
    ),
    measurement({ measure: page, unit: 'ms', ours: listMs }, atMost(100, 'ms')),
    measurement(
      { measure: 'jobs summary of them', unit: 'ms', ours: summaryMs },
      atMost(100, 'ms'),
    ),
    measurement(
      {
        measure: 'memory of the services gained while they came in',
        unit: 'MiB',
        ours: filled - before,
      },
      atMost(100, 'MiB'),
    ),
    measurement(
      { measure: 'and gained while they waited', unit: 'MiB', ours: rested - filled },
      atMost(20, 'MiB'),
    ),
  ];
}

async function submitAll(tiny: TinyJobs): Promise<number> {
  const begun = performance.now();
  let left = QUEUED;
  const ask = async () => {
    while (left-- > 0) await tiny.submit(tiny.folders[left % tiny.folders.length]!);
  };
  await Promise.all(Array.from({ length: ASKING_AT_ONCE }, ask));
  return (1_000 * QUEUED) / (performance.now() - begun);
}

async function medianMs(ask: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < LIST_ROUNDS; round += 1) {
    const begun = performance.now();
    await ask();
    times.push(performance.now() - begun);
  }
  return median(times);
}

/** When jobs became active, and when they were done, by the clock of the job manager. */
class Moments {
  private readonly active: Moment[] = [];
  private readonly done: Moment[] = [];

  static async of({ cluster }: TinyJobs): Promise<Moments> {
    const moments = new Moments();
    const nats = await cluster.connect();
    for (const happened of ['active', 'done'] as const) {
      nats.subscribe(`hf.evt.v1.job.${happened}.>`, {
        callback: (_, message) => {
          const { data, time } = message.json<{
            data: { job: number; client: string };
            time: string;
          }>();
          if (data.client === CLIENT) {
            moments[happened].push({ job: data.job, at: Date.parse(time) });
          }
        },
      });
    }
    await nats.flush();
    return moments;
  }

  /** Median of the time from the end of a job, which is behind its release, to the next one's beginning. */
  async toNext(count: number): Promise<number> {
    const begun = performance.now();
    while (this.done.length < count) {
      if (performance.now() - begun > WAIT_MS_MAX) throw new Error('the queue does not move');
      await sleep(50);
    }
    const ends = this.done.slice(0, count).map(({ at }) => at);
    const waits = ends.flatMap((end) => {
      const next = this.active.find(({ at }) => at >= end);
      return next ? [next.at - end] : [];
    });
    return median(waits);
  }
}

/** Resident memory of the process that runs policy, jobs, broker and catalog. */
function controlMib({ cluster }: TinyJobs): number {
  const up = cluster.processes().find(({ command }) => / up /.test(command));
  if (!up) throw new Error('holdfast up is not to be found');
  const status = readFileSync(`/proc/${up.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}
