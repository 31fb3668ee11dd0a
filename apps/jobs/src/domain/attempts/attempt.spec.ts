import { describe, expect, it } from '@jest/globals';
import { after, answers, backup, imageOf, later, logOf, NOW } from '../../testing/sample-jobs.js';
import { decide } from '../decide.js';
import type { Job } from '../job.js';
import { tasksOf } from '../tasks.js';
import { viewOf } from '../view.js';
import { delayMs } from './attempt.js';
import { mayPass } from './retryable.js';

const its = answers();
const running = after(backup, its.granted('m1'), its.begun());
const token = () => 'a-token-of-twenty-characters';

describe('an attempt that fails', () => {
  it('is followed by another one when the reason may pass', () => {
    const { job, effects } = decide(running, its.silent('media'), NOW);
    expect(job).toMatchObject({ step: 'retrying', attempt: 1, failures: 1, outcome: null });
    expect(effects).toContainEqual({ type: 'cancel-tasks' });
    expect(viewOf(job, NOW)).toMatchObject({
      ...{ state: 'waiting-for-retry', status: null, operation: 'waiting to retry', mediaId: 'm1' },
      retryAt: later(5_000).toISOString(),
    });
    expect(logOf(running, its.silent('media'))).toBe(
      'The media server m1 has fallen silent. (82)\n' +
        'attempt 1 has ended; the media server may be started again: try 2 of 3 begins in 5 s',
    );
  });

  it('ends the job when a person has to mend something, or nothing can', () => {
    for (const status of [2, 20, 46, 71, 129, 130, 227, 1057]) {
      expect(mayPass(status)).toBeUndefined();
      const job = after(running, its.reported('media', { status }));
      expect(job).toMatchObject({ step: 'releasing', outcome: { status } });
    }
  });

  it('is followed by another one when what was away may come back, such as a database', () => {
    const absent = its.reported('agent', { status: 220 });
    expect(logOf(running, absent)).toContain('the database may come back: try 2 of 3 begins');
    expect(after(running, absent).step).toBe('retrying');
  });

  it('that somebody stopped, on a host, was not cancelled by anybody', () => {
    const stopped = its.reported('agent', { status: 150, message: '' });
    expect(logOf(running, stopped)).toContain('The agent was stopped. (50)');
    expect(after(running, stopped).step).toBe('retrying');
  });

  it('waits longer after each failure, up to a limit', () => {
    const backoff = { firstMs: 5_000, factor: 3, maxMs: 60_000, drainsMax: 1 };
    expect([1, 2, 3, 4].map((n) => delayMs(backoff, n))).toEqual([5_000, 15_000, 45_000, 60_000]);
  });
});

describe('before the next attempt', () => {
  const waiting = after(running, its.silent('media'));

  it('the slot is given back at once, and the time has to come', () => {
    expect(after(waiting, [its.drained(), later(5_000)])).toBe(waiting);
    const free = after(waiting, its.letGo);
    expect(free).toMatchObject({ allocation: null, step: 'retrying' });
    expect(after(free, [its.drained(), later(4_999)])).toBe(free);
    expect(after(free, [its.drained(), later(5_000)])).toMatchObject({
      ...{ step: 'allocating', attempt: 2, allocation: null, retry: null, outcome: null },
      ...{ heard: {}, results: {} },
    });
  });

  it('what the old media server has sealed is brought in', () => {
    const free = after(waiting, its.letGo);
    expect(free.retry?.drain).toEqual({ mediaId: 'm1', imageId: 'web1_1', copy: 1 });
    const draining = after(free, [its.drained(4), later(5_000)]);
    expect(draining).toMatchObject({ step: 'retrying', attempt: 1 });
    expect(viewOf(draining, NOW).operation).toBe('draining media server m1');
    expect(logOf(draining, its.drained(0), later(6_000))).toBe(
      'drained: every sealed fragment is committed\nrequesting resource default',
    );
  });

  it('a media server that cannot be reached holds it up for a few tries only', () => {
    const lost = [its.drained(null), later(9_000)] as [ReturnType<typeof its.drained>, Date];
    const almost = after(waiting, its.letGo, lost, lost);
    expect(almost.step).toBe('retrying');
    expect(logOf(almost, ...lost)).toContain(
      'media server m1 cannot be reached: its late commits will be fenced',
    );
    expect(after(almost, lost)).toMatchObject({ step: 'allocating', attempt: 2 });
    expect(logOf(almost, its.drained(2), later(9_000))).toContain('2 sealed fragments');
  });
});

describe('the next attempt', () => {
  const second = after(running, its.silent('media'), its.letGo, [its.drained(), later(5_000)]);
  const its2 = answers(2);

  it('goes on behind what the catalog has', () => {
    const job = after(second, its2.granted('m2'), its2.begun(imageOf(4, 2)));
    const tasks = tasksOf(job, token);
    const resume = { nextNumber: 4, archiveOffset: 300, storedBytes: 150 };
    expect(tasks.media[0]).toMatchObject({
      mediaId: 'm2',
      task: { type: 'write', attempt: 2, image: { copyAttempt: 2 }, resume },
    });
    expect(tasks.agent?.task).toMatchObject({ type: 'backup', attempt: 2, resume });
    expect(logOf(after(second, its2.granted('m2')), its2.begun(imageOf(4, 2)))).toContain(
      'going on with image web1_1 at fragment 4',
    );
  });

  it('starts from nothing where nothing is committed', () => {
    const job = after(second, its2.granted('m1'), its2.begun(imageOf(1, 2)));
    expect(tasksOf(job, token).agent?.task).toMatchObject({ resume: null });
  });

  it('misses nobody for what it did not say in the attempt before', () => {
    const spoke = { ...second, heard: { agent: 5 } };
    const job = after(spoke, its2.granted('m1'), [its2.begun(), later(9_000)]);
    expect(job).toMatchObject({ heard: {}, runningSince: later(9_000) });
  });

  it('makes a new image when the agent cannot go on, at once and not as a failure', () => {
    const resumed = after(second, its2.granted('m1'), its2.begun(imageOf(4, 2)));
    const cannot = its2.reported('agent', { status: 20, cannotResume: true });
    const waits = after(resumed, cannot);
    expect(waits).toMatchObject({ step: 'retrying', fresh: true, failures: 1 });
    const third = after(waits, its2.letGo, its2.drained());
    expect(third).toMatchObject({ step: 'allocating', attempt: 3, fresh: true });
    const its3 = answers(3);
    const begun = after(third, its3.granted('m1'), its3.begun(imageOf(1, 1)));
    expect(begun).toMatchObject({ step: 'running', fresh: false });
    // With nothing to go on with, it is a failure like any other.
    const again = after(begun, its3.reported('agent', { status: 20, cannotResume: true }));
    expect(again).toMatchObject({ step: 'releasing', outcome: { status: 20 } });
  });

  it('is a failure where the catalog makes no new image for an agent that cannot go on', () => {
    const cannot = (attempt: number) =>
      answers(attempt).reported('agent', { status: 20, cannotResume: true });
    const next = (job: Job, attempt: number) => {
      const of = answers(attempt);
      const begun = after(job, of.granted('m1'), of.begun(imageOf(4, 2)), cannot(attempt));
      return after(begun, answers(attempt).letGo, [answers(attempt).drained(), later(60_000)]);
    };
    const third = next(second, 2);
    expect(third).toMatchObject({ step: 'allocating', attempt: 3, failures: 1, fresh: true });
    const fourth = next(third, 3);
    expect(fourth).toMatchObject({ step: 'allocating', attempt: 4, failures: 2, fresh: true });
    expect(next(fourth, 4)).toMatchObject({ step: 'weighing', failures: 3 });
  });

  it('is the last one when the tries are used up', () => {
    const third = after(
      second,
      ...[its2.granted('m1'), its2.begun(), its2.silent('agent'), its2.letGo],
      [its2.drained(), later(60_000)],
    );
    const its3 = answers(3);
    const job = after(third, its3.granted('m1'), its3.begun(), its3.silent('agent'));
    expect(job).toMatchObject({ step: 'weighing', attempt: 3, failures: 3, outcome: null });
    expect(job.attempts.map(({ status }) => status)).toEqual([82, 50, 50]);
  });
});
