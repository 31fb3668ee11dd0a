import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { JobView } from '#contracts/job.js';
import { sleep } from '#kernel/backoff.js';
import { until as waitUntil } from '../../../test/support/until.js';
import { JobsUnderTest } from './testing/jobs-under-test.js';
import type { ResourcesOnTheWire } from './testing/resources-on-the-wire.js';

describe('the job manager', () => {
  let jobs: JobsUnderTest;
  let others: ResourcesOnTheWire;

  beforeAll(async () => {
    jobs = await JobsUnderTest.start();
    others = jobs.others;
  });
  afterAll(() => jobs?.stop());
  beforeEach(() => jobs.reset());
  afterEach(() => jobs.endAll());

  const ask = <T>(endpoint: string, body: object) => jobs.ask<T>(endpoint, body);
  const submit = (more: object = {}) => jobs.submit(more);
  const view = (job: number) => jobs.view(job);
  const until = (job: number, reached: (view: JobView) => boolean) => jobs.until(job, reached);
  const running = (job: number) => jobs.running(job);
  const done = (job: number) => jobs.done(job);
  const report = (job: number, from: string, status: number, more: object = {}) =>
    jobs.report(job, from, status, more);
  const logOf = (job: number) => jobs.logOf(job);
  const asked = (endpoint: string, job: number) => jobs.asked(endpoint, job);
  /** Both of its participants have their tasks. */
  const given = (job: number, attempt = 1) => {
    const tasks = () => others.tasksOf(job).filter((task) => task.attempt === attempt);
    return waitUntil(tasks, { is: ({ length }) => length > 1 });
  };
  const cancels = (job: number) => others.tasksOf(job).filter(({ type }) => type === 'cancel');

  it('takes a backup from its request to DONE and tells the world', async () => {
    const job = await submit();
    await running(job);
    await given(job);
    expect(
      others
        .tasksOf(job)
        .map(({ type }) => type)
        .sort(),
    ).toEqual(['backup', 'write']);
    await report(job, 'media', 0);
    await report(job, 'agent', 0);
    expect(await done(job)).toMatchObject({ status: 0, client: 'web1', kind: 'full' });
    expect(asked('broker.release', job)).toHaveLength(1);
    for (const what of ['queued', 'active', 'done']) {
      await waitUntil(() => jobs.told(job).includes(what), { what: `the event ${what}` });
    }
    const { log } = await ask<{ log: { text: string }[] }>('get', { job });
    expect(log.map(({ text }) => text).join('\n')).toContain(
      'granted resource StorageUnit=default',
    );
    const logLines = log.length;
    expect(await ask('get', { job, log: false })).toMatchObject({
      job: { job },
      log: [],
      logLines,
    });
  });

  it('makes no second job of a request that is sent twice', async () => {
    const requestId = '0190a0a0-0000-7000-8000-0000000000aa';
    expect(await submit({ requestId })).toBe(await submit({ requestId }));
  });

  it('refuses at once what can never run, and says why', async () => {
    const unknown = await ask('backup', { client: 'nobody', selections: ['/etc'] });
    expect(unknown).toMatchObject({ error: { status: 243 } });
    const asleep = await ask('backup', { client: 'asleep', selections: ['/etc'] });
    expect(asleep).toMatchObject({ error: { status: 1000 } });
    const relative = await ask('backup', { client: 'web1', selections: ['etc'] });
    expect(relative).toMatchObject({ error: { status: 20, field: 'selections[0]' } });
    expect(await ask('get', { job: 999_999 })).toMatchObject({ error: { status: 805 } });
  });

  it('ends a job that the broker refuses', async () => {
    expect(await done(await submit({ storage: 'nowhere' }))).toMatchObject({ status: 213 });
  });

  it('says what a queued job waits for, and goes on when it is told', async () => {
    others.busy = true;
    const job = await submit();
    await until(job, ({ operation }) => operation.includes('maximum of 1 job'));
    expect((await view(job)).state).toBe('queued');
    others.busy = false;
    await running(job);
  });

  it('waits out a broker that is away', async () => {
    others.brokerAway = false;
    const job = await submit();
    others.brokerAway = true;
    await sleep(300);
    others.brokerAway = false;
    await running(job);
  });

  it('ends a job whose tasks do not fit into a message, instead of waiting for who was not told', async () => {
    others.selections = Array.from({ length: 65 }, (_, index) => `/${index}`.padEnd(15_998, 'x'));
    const job = await submit();
    const refused = { status: 20, message: expect.stringMatching(/too large .* divide it/) };
    expect(await done(job)).toMatchObject(refused);
    expect(others.tasks.filter((task) => task.job === job && task.type !== 'cancel')).toEqual([]);
  });

  it('cuts lines of a log that are too long to be shown, those of earlier releases too', async () => {
    others.builtOn = Array.from({ length: 400 }, (_, index) => `${'w'.repeat(50)}_${index}`);
    const source = { imageId: 'web1_1' };
    const { job } = await ask<{ job: number }>('restore', { source, destination: '/tmp/r' });
    await jobs.until(job, ({ state }) => state === 'active');
    const database = new pg.Client(jobs.postgres.url);
    await database.connect();
    await database.query(
      `INSERT INTO jobs.job_log (job, at, attempt, process, pid, severity, text)
       VALUES ($1, now(), 1, 'jobs', 1, 'info', $2)`,
      [job, 'x'.repeat(30_000)],
    );
    await database.end();
    const { log } = await ask<{ log: { text: string }[] }>('get', { job });
    const long = log.filter(({ text }) => text.length === 20_000).map(({ text }) => text[0]);
    expect(long).toEqual(['r', 'x']);
  });

  it('goes on from what was saved after a restart in the middle', async () => {
    others.complete = false;
    const job = await submit();
    await running(job);
    await report(job, 'media', 0);
    await report(job, 'agent', 0);
    await until(job, ({ operation }) => operation.includes('index of fragment'));
    await jobs.stopService();
    others.complete = true;
    await jobs.startService();
    expect(await done(job)).toMatchObject({ status: 0 });
    expect(others.count('catalog.image-begin')).toBe(1);
  });

  it('goes on in the same job when a media server died: drains it, then a new attempt', async () => {
    const job = await submit();
    await running(job);
    Object.assign(others, { nextNumber: 4, open: 3 });
    const letDrain = others.holdUp('media.drain.*');
    await report(job, 'agent', 40, { attempt: 1 });
    const waits = await until(job, ({ retryAt }) => retryAt !== null);
    expect(waits).toMatchObject({ state: 'waiting-for-retry', status: null, attempt: 1 });
    letDrain();
    await until(job, ({ attempt, operation }) => attempt === 2 && operation === 'moving data');
    expect(others.count('media.drain.*')).toBe(3);
    expect(asked('broker.release', job)).toEqual([{ job, attempt: 1 }]);
    expect(asked('catalog.image-begin', job).map(({ attempt }) => attempt)).toEqual([1, 2]);
    const resume = { nextNumber: 4, archiveOffset: 3_000 };
    for (const task of await given(job, 2)) expect(task).toMatchObject({ resume });
    expect(cancels(job)).toHaveLength(2);
    // Whoever still works on the first attempt is told to stop, and its word counts nothing.
    expect(await report(job, 'media', 0)).toEqual({ goOn: false });
    await report(job, 'media', 0, { attempt: 2 });
    await report(job, 'agent', 0, { attempt: 2 });
    expect(await done(job)).toMatchObject({ status: 0, attempt: 2 });
    expect(await logOf(job)).toContain('drained: every sealed fragment is committed');
  });

  it('does not wait long for a media server that is gone, and tries no more than it may', async () => {
    others.mediaAway = true;
    const job = await submit({ tries: 2 });
    for (const attempt of [1, 2]) {
      await until(job, (now) => now.attempt === attempt && now.operation === 'moving data');
      await report(job, 'agent', 41, { attempt });
    }
    expect(await done(job)).toMatchObject({ status: 41, attempt: 2 });
    expect(await logOf(job)).toContain('media server m1 cannot be reached');
  });

  it('makes a new image when the agent cannot go on', async () => {
    const job = await submit();
    await running(job);
    others.nextNumber = 4;
    await report(job, 'agent', 40);
    await until(job, (now) => now.attempt === 2 && now.operation === 'moving data');
    const result = { status: 20, message: 'no checkpoint', cannotResume: true };
    const body = { job, attempt: 2, from: 'agent', instance: 'web1', result };
    await ask('report', body);
    await until(job, (now) => now.attempt === 3 && now.operation === 'moving data');
    expect(asked('catalog.image-begin', job).at(-1)).toMatchObject({ attempt: 3, fresh: true });
    expect(asked('catalog.image-abandon', job)).toHaveLength(1);
    await ask('cancel', { job });
    await done(job);
  });

  it('cancels a job that waits for its next attempt at once', async () => {
    const job = await submit();
    await running(job);
    // Else that may have begun by now.
    const letDrain = others.holdUp('media.drain.*');
    await report(job, 'media', 82);
    await ask('cancel', { job });
    letDrain();
    expect(await done(job)).toMatchObject({ status: 150, attempt: 1 });
  });

  it('duplicates an image, and is done when the catalog has counted the copy', async () => {
    others.complete = false;
    const request = { imageId: 'web1_1790000001', toPool: 'offsite' };
    const { job } = await ask<{ job: number }>('duplicate', request);
    const copying = ({ operation }: JobView) => operation.startsWith('duplicating');
    expect(await until(job, copying)).toMatchObject({
      ...{ type: 'duplicate', imageId: request.imageId, storage: 'offsite', client: 'web1' },
      mediaId: 'm2',
    });
    const tasks = await given(job);
    const [read, write] = [...tasks].sort((a, b) => b.type.localeCompare(a.type));
    expect(read).toMatchObject({ type: 'read', images: [request.imageId] });
    expect(write).toMatchObject({ type: 'duplicate', pool: 'offsite', sources: [{ tokens: {} }] });
    const destination = { from: 'media', instance: 'm2' };
    const progress = { fragments: 3, fragmentsTotal: 7 };
    await ask('report', { job, attempt: 1, ...destination, progress });
    await ask('report', { job, attempt: 1, ...destination, progress: { storedBytes: 9 } });
    expect((await view(job)).operation).toBe('duplicating fragments 3 of 7');
    // A server that is only read from neither ends the job nor keeps it alive.
    expect(await report(job, 'media', 85)).toEqual({ goOn: true });
    await report(job, 'media', 0, destination);
    await until(job, ({ operation }) => operation === 'fragment 3 of copy 2');
    others.complete = true;
    const copied = {
      specversion: '1.0',
      id: 'e',
      source: 's',
      type: 't',
      subject: request.imageId,
    };
    await jobs.request(`hf.evt.v1.copy.completed.${request.imageId}`, {
      ...{ ...copied, time: new Date().toISOString() },
      ...{ datacontenttype: 'application/json', data: {} },
    });
    expect(await done(job)).toMatchObject({ status: 0, attempt: 1 });
    expect(asked('catalog.unpin', job)).toHaveLength(1);
    const log = await logOf(job);
    for (const line of ['begin Duplicate', 'requesting resource offsite', 'end Duplicate']) {
      expect(log).toContain(line);
    }
    expect(log).toContain('granted resource MediaID=m2;DiskPool=offsite;');
  });

  it('verifies an image where it lies, and ends with what was found', async () => {
    const { job } = await ask<{ job: number }>('verify', { imageId: 'web1_1790000001' });
    await until(job, ({ operation }) => operation.startsWith('verifying'));
    expect(asked('catalog.pin', job)).toHaveLength(1);
    await report(job, 'media', 1057);
    expect(await done(job)).toMatchObject({ status: 1057, type: 'verify' });
    const unknown = await ask<{ job: number }>('verify', { imageId: 'web1_404' });
    expect(await done(unknown.job)).toMatchObject({ status: 227 });
  });

  it('holds what a restore reads until it has ended', async () => {
    const request = { source: { imageId: 'web1_1790000001' }, destination: '/tmp/r' };
    const { job } = await ask<{ job: number }>('restore', request);
    await running(job);
    expect(asked('catalog.pin', job)).toEqual([{ job, imageIds: ['web1_1790000001'] }]);
    expect(asked('catalog.unpin', job)).toEqual([]);
    await report(job, 'agent', 0);
    expect(await done(job)).toMatchObject({ status: 0 });
    expect(asked('catalog.unpin', job)).toHaveLength(1);
  });

  it('cancels a job, tells its participants, and gives back what it held', async () => {
    const job = await submit();
    await running(job);
    await ask('cancel', { job });
    expect(await done(job)).toMatchObject({ status: 150 });
    await waitUntil(() => cancels(job).length > 1);
    expect(cancels(job)).toHaveLength(2);
  });
});
