import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { jobIncomplete } from '#contracts/job.js';
import { until } from '../../../test/support/until.js';
import { pause, PolicyHarness } from './testing/policy-harness.js';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;

describe('a job that is incomplete', () => {
  let cluster: PolicyHarness;

  beforeAll(async () => {
    cluster = await PolicyHarness.start();
  });

  afterAll(() => cluster?.stop());

  const ago = (minutes: number) => new Date(Date.now() - minutes * MINUTE_MS);
  const clock = (minutes: number) =>
    new Date((Math.floor(Date.now() / MINUTE_MS) + minutes + DAY_MINUTES) * MINUTE_MS)
      .toISOString()
      .slice(11, 16);
  const goneOn = (job: number) => cluster.jobs.goneOn.filter((one) => one.job === job);
  const entryOf = async (policy: string) => (await cluster.dueOf(policy))[0]!;
  const put = (name: string, schedule: object = {}) =>
    cluster.put({ name, schedules: [{ name: 'f', type: 'full', frequency: '1d', ...schedule }] });

  /** A policy with a job. */
  async function started(name: string, schedule: object = {}): Promise<number> {
    await put(name, schedule);
    await until(() => cluster.jobsOf(name).length === 1, { what: 'a job' });
    await until(async () => (await entryOf(name)).running !== null, { what: 'it is known to run' });
    return cluster.jobsOf(name)[0]!;
  }

  it('goes on by the retry rule in its window, once for each try, and keeps its number', async () => {
    const windows = [{ from: clock(-30), for: '1h' }];
    const job = await started('window', { windows });
    await cluster.jobs.leaveIncomplete(job, ago(11));
    await until(() => goneOn(job).length === 1, { what: 'it went on' });
    const closesAt = Date.parse(goneOn(job)[0]!.closesAt!);
    expect(closesAt - Date.now()).toBeGreaterThan(28 * MINUTE_MS);
    expect(closesAt - Date.now()).toBeLessThanOrEqual(31 * MINUTE_MS);
    await until(async () => (await entryOf('window')).reason.endsWith(`job ${job} runs now`), {
      what: 'it is known to run again',
    });
    // The second try within the period has failed, too: none is left.
    await cluster.jobs.leaveIncomplete(job, new Date());
    await until(async () => (await entryOf('window')).goesOn === job, { what: 'it was heard' });
    expect((await entryOf('window')).reason).toContain('2 tries within 12h have failed');
    await pause(1_500);
    expect(goneOn(job)).toHaveLength(1);
    expect(cluster.jobsOf('window')).toEqual([job]);
    // Its time is over: it has had its tries, and ends like any other.
    await cluster.jobs.end(job, 82);
    await until(
      async () => (await entryOf('window')).reason.startsWith(`job ${job} ended with status 82`),
      { what: 'its end was heard' },
    );
    expect(await entryOf('window')).toMatchObject({ running: null, goesOn: null });
  });

  it('waits for the pause between two tries, and says so', async () => {
    const job = await started('pause');
    await cluster.jobs.leaveIncomplete(job, ago(0));
    await until(async () => (await entryOf('pause')).goesOn === job, { what: 'it was heard' });
    const { dueAt, reason, running } = await entryOf('pause');
    expect(Math.round((Date.parse(dueAt!) - Date.now()) / MINUTE_MS)).toBe(10);
    expect(reason).toMatch(
      /^job \d+ is incomplete with status 82 \(.*\); again after 10m; job \d+ /,
    );
    expect(running).toBe(job);
    await pause(1_500);
    expect(goneOn(job)).toEqual([]);
  });

  it('waits outside of its window, while scheduling is suspended, and in a policy that is off', async () => {
    const open = [{ from: clock(-30), for: '1h' }];
    const job = await started('waits', { windows: open });
    await cluster.ask('suspend-scheduling', { policy: 'waits' });
    await cluster.jobs.leaveIncomplete(job, ago(11));
    await until(async () => (await entryOf('waits')).goesOn === job, { what: 'it was heard' });
    expect((await entryOf('waits')).reason).toContain('scheduling is suspended since');
    await pause(1_500);
    await put('waits', { windows: [{ from: clock(120), for: '1h' }] });
    await cluster.ask('resume-scheduling', { policy: 'waits' });
    await pause(1_500);
    expect((await entryOf('waits')).reason).toContain('waits for the start window');
    const schedules = [{ name: 'f', type: 'full', frequency: '1d', windows: open }];
    await cluster.put({ name: 'waits', active: false, schedules });
    expect(await entryOf('waits')).toMatchObject({ dueAt: null, running: job, goesOn: null });
    await pause(1_500);
    expect(goneOn(job)).toEqual([]);
  });

  it('is not touched where a person has stopped it, or gone on with it', async () => {
    const suspended = await started('suspended');
    await cluster.jobs.leaveIncomplete(suspended, null);
    const resumed = await started('resumed');
    await cluster.jobs.leaveIncomplete(resumed, ago(5));
    await until(async () => (await entryOf('resumed')).goesOn === resumed, {
      what: 'it was heard',
    });
    cluster.jobs.move(resumed, 'active');
    await until(async () => (await entryOf('resumed')).reason.endsWith(`job ${resumed} runs now`), {
      what: 'the job manager was asked',
    });
    const cancelled = await started('cancelled');
    await cluster.jobs.leaveIncomplete(cancelled, ago(5));
    await until(async () => (await entryOf('cancelled')).goesOn === cancelled, {
      what: 'it was heard',
    });
    await cluster.jobs.end(cancelled, 150);
    await until(async () => (await entryOf('cancelled')).reason.includes('left alone for 12h'), {
      what: 'its end was heard',
    });
    await pause(1_500);
    expect(await entryOf('suspended')).toMatchObject({
      reason: `no good backup yet: due at once; job ${suspended} runs now`,
    });
    for (const job of [suspended, resumed, cancelled]) expect(goneOn(job)).toEqual([]);
  });

  it('goes on once though events and answers are lost, and the service is started again', async () => {
    cluster.jobs.losesAnswers = true;
    const job = await started('losses');
    const told = await cluster.jobs.leaveIncomplete(job, ago(11), { heard: false });
    await until(() => goneOn(job).length === 1, { what: 'it was asked for, and went on' });
    await cluster.startReplica();
    cluster.jobs.losesAnswers = false;
    await until(async () => (await entryOf('losses')).reason.endsWith(`job ${job} runs now`), {
      what: 'it is known that it went on',
    });
    // An event that comes late is no news.
    await cluster.jobs.publish(told, jobIncomplete);
    await pause(1_500);
    expect(goneOn(job)).toHaveLength(1);
    await cluster.jobs.end(job, 0);
    await until(
      async () => (await entryOf('losses')).reason.startsWith('1d after the last good backup'),
      { what: 'its end was heard' },
    );
  });
});
