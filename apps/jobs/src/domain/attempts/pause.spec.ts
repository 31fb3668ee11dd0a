import { describe, expect, it } from '@jest/globals';
import { backupRequest } from '#contracts/job.js';
import {
  after,
  answers,
  backup,
  BACKOFF,
  duplicate,
  imageOf,
  later,
  logOf,
  NOW,
  restore,
} from '../../testing/sample-jobs.js';
import { decide } from '../decide.js';
import { backupDraft } from '../draft.js';
import type { Input } from '../input.js';
import type { Job } from '../job.js';
import { viewOf } from '../view.js';
import { wakeAt } from './wake-at.js';

const its = answers();
const suspend: Input = { type: 'suspend' };
const resume: Input = { type: 'resume' };
const running = after(backup, its.granted('m1'), its.begun());

describe('a job that is suspended', () => {
  const suspended = after(running, suspend);

  it('tells its participants, says 157 in its log, and gives its resources back', () => {
    expect(decide(running, suspend, NOW).effects).toContainEqual({ type: 'cancel-tasks' });
    expect(logOf(running, suspend)).toBe('suspend requested by administrator (157)');
    expect(viewOf(suspended, NOW)).toMatchObject({
      ...{ state: 'suspended', status: null, waitReason: 'suspended', mediaId: 'm1' },
    });
    expect(wakeAt(suspended)).toEqual(new Date(0));
    const free = after(suspended, its.letGo);
    expect(free).toMatchObject({ allocation: null, pause: { isLetGo: true } });
    expect(wakeAt(free)).toBeNull();
    expect(suspended.attempts).toMatchObject([{ attempt: 1, status: 157, mediaId: 'm1' }]);
  });

  it('goes on behind what is committed, in the next attempt, with all its tries', () => {
    const resumed = after({ ...running, failures: 2 } as Job, suspend, its.letGo, resume);
    expect(resumed).toMatchObject({ step: 'retrying', failures: 0, pause: null });
    const second = after(resumed, its.drained());
    expect(second).toMatchObject({ step: 'allocating', attempt: 2, image: { imageId: 'web1_1' } });
    const its2 = answers(2);
    expect(after(second, its2.granted('m2'), its2.begun(imageOf(4, 2))).step).toBe('running');
  });

  it('gives back first what it holds still when it is resumed at once', () => {
    const resumed = after(suspended, resume);
    expect(resumed).toMatchObject({ step: 'retrying', retry: { isLetGo: false } });
    expect(after(resumed, its.drained())).toBe(resumed);
    expect(after(resumed, its.letGo, its.drained()).attempt).toBe(2);
  });

  it('while it is counted goes on with just that', () => {
    const verifying = after(running, its.media, its.agent);
    const resumed = after(verifying, suspend, its.letGo, [resume, later(9)]);
    expect(resumed).toMatchObject({ step: 'verifying', attempt: 1, verifyingSince: later(9) });
    expect(after(resumed, its.complete, its.released)).toMatchObject({ outcome: { status: 0 } });
  });

  it('begins anew where there is nothing to go on with, and says so', () => {
    const waits = after(restore, its.planned, its.granted('m1'), its.pinned, suspend, its.letGo);
    expect(logOf(waits, resume)).toBe('resumed: a restore begins anew');
    expect(after(waits, resume, its.drained())).toMatchObject({ step: 'planning', attempt: 2 });
  });

  it('for too long is incomplete, and ends with 157 in the end', () => {
    const out = (step: Job['step']): Input => ({ type: 'waited-out', step });
    const free = after(suspended, its.letGo);
    const incomplete = after(free, [out('suspended'), later(7)]);
    expect(incomplete).toMatchObject({ step: 'incomplete', pause: { since: later(7) } });
    expect(after(incomplete, out('suspended'))).toBe(incomplete);
    const over = after(incomplete, out('incomplete'), its.released);
    expect(viewOf(over, NOW)).toMatchObject({ state: 'done', status: 157 });
  });
});

describe('a job that is out of tries', () => {
  const last = { ...running, failures: 2 } as Job;
  const weighing = after(last, its.silent('media'), its.letGo);

  it('is incomplete if the catalog has something of it, after the drain', () => {
    expect(weighing).toMatchObject({ step: 'weighing', retry: { drain: { mediaId: 'm1' } } });
    expect(after(weighing, its.weighed(3))).toBe(weighing);
    const incomplete = after(weighing, its.drained(), its.weighed(3));
    expect(viewOf(incomplete, NOW)).toMatchObject({ state: 'incomplete', status: null });
    const resumed = after(incomplete, resume, its.drained());
    expect(resumed).toMatchObject({ step: 'allocating', attempt: 2, failures: 0 });
  });

  it('ends with its status if there is nothing to resume, or nobody resumes it', () => {
    const nothing = after(weighing, its.drained(), its.weighed(0));
    expect(nothing).toMatchObject({ step: 'releasing', outcome: { status: 82 } });
    const incomplete = after(weighing, its.drained(), its.weighed(1));
    const over = after(incomplete, { type: 'waited-out', step: 'incomplete' });
    expect(over).toMatchObject({ step: 'releasing', outcome: { status: 82 } });
  });

  it('is kept where nobody can say what there is', () => {
    const unanswered = { type: 'unanswered', attempt: 1, message: 'm' } as const;
    const kept = after(weighing, { ...unanswered, step: 'weighing' });
    expect(kept).toMatchObject({ step: 'incomplete', pause: { drain: { mediaId: 'm1' } } });
  });

  it('of a kind that cannot be resumed ends at once', () => {
    const runs = after(restore, its.planned, its.granted('m1'), its.pinned);
    expect(after(runs, its.silent('agent'))).toMatchObject({ outcome: { status: 50 } });
    const copying = after(duplicate, its.located('m1'), its.granted('m2', 'm1'), its.copyBegun());
    const out = { ...copying, failures: 9 } as Job;
    expect(after(out, its.silent('media', true, 'm2')).step).toBe('weighing');
  });
});

describe('the retry rule of a policy', () => {
  const request = backupRequest.parse({
    ...{ client: 'web1', selections: ['/etc'], closesAt: later(10_000).toISOString() },
  });
  const windowed = { ...backupDraft(request, BACKOFF), job: 7, failures: 2 };
  const runs = after(windowed, its.granted('m1'), its.begun());
  /** It fails at once, and some of it is committed. */
  const failing = (job: Job, of: ReturnType<typeof answers>, ms: number) =>
    after(job, [of.silent('media'), later(ms)], of.letGo, ...weighing(of, ms + 1_000));
  const weighing = (of: ReturnType<typeof answers>, ms: number) =>
    [of.drained(), of.weighed(1)].map((input): [Input, Date] => [input, later(ms)]);
  const incomplete = failing(runs, its, 1_000);
  const rule = (failedAt: Date, closesAt: Date | null = later(90_000)): Input => ({
    ...{ type: 'continue', failedAt, closesAt },
  });
  const seen = (job: Job) => viewOf(job, NOW).outOfTries;

  it('goes on with what is out of tries, within the window that it says', () => {
    const failedAt = later(1_000);
    expect(seen(incomplete)).toEqual({ failedAt: failedAt.toISOString(), status: 82 });
    const goesOn = after(incomplete, [rule(failedAt), later(60_000)]);
    expect(goesOn).toMatchObject({ step: 'retrying', failures: 0, pause: null });
    expect(seen(goesOn)).toBeNull();
    const second = after(goesOn, [its.drained(), later(60_000)]);
    expect(second).toMatchObject({ step: 'allocating', attempt: 2, image: { imageId: 'web1_1' } });
    expect(wakeAt(second)).toEqual(later(90_000));
    expect(wakeAt(after(incomplete, rule(failedAt, null), its.drained()))).toBeNull();
  });

  it('uses up no try where the window closes before it could begin', () => {
    const queued = after(incomplete, rule(later(1_000)), [its.drained(), later(60_000)]);
    const its2 = answers(2);
    const closed: Input = { type: 'window-closed' };
    const again = after(queued, [closed, later(90_000)], its2.letGo, ...weighing(its2, 91_000));
    expect(again).toMatchObject({ step: 'incomplete', attempt: 2 });
    expect(seen(again)).toEqual(seen(incomplete));
  });

  it('asked twice, too late or of an earlier failure changes nothing', () => {
    const failedAt = later(1_000);
    const goesOn = after(incomplete, rule(failedAt));
    expect(after(goesOn, rule(failedAt))).toBe(goesOn);
    expect(after(incomplete, [rule(failedAt), later(90_000)])).toBe(incomplete);
    const its2 = answers(2);
    const second = after(goesOn, its.drained(), its2.granted('m1'), its2.begun(imageOf(4, 2)));
    const failedAgain = failing({ ...second, failures: 2 } as Job, its2, 50_000);
    expect(seen(failedAgain)).toEqual({ failedAt: later(50_000).toISOString(), status: 82 });
    expect(after(failedAgain, rule(failedAt))).toBe(failedAgain);
  });

  it('leaves alone what a person stopped, what moves, and what has ended', () => {
    const suspended = after(runs, suspend, its.letGo);
    const forTooLong = after(suspended, { type: 'waited-out', step: 'suspended' });
    expect(seen(forTooLong)).toBeNull();
    const cancelled = after(incomplete, { type: 'cancel' });
    for (const job of [runs, suspended, forTooLong, cancelled, after(cancelled, its.released)]) {
      expect(after(job, rule(later(99_000)))).toBe(job);
    }
  });
});

describe('a start window', () => {
  const request = backupRequest.parse({
    ...{ client: 'web1', selections: ['/etc'], closesAt: later(10_000).toISOString() },
  });
  const windowed = { ...backupDraft(request, BACKOFF), job: 7 };
  const closed: Input = { type: 'window-closed' };
  const runs = after(windowed, its.granted('m1'), its.begun());

  it('ends a job that is queued still with 196, when it has closed', () => {
    expect(wakeAt(windowed)).toEqual(later(10_000));
    expect(after(windowed, [closed, later(9_999)])).toBe(windowed);
    expect(after(windowed, [closed, later(10_000)])).toMatchObject({
      ...{ step: 'releasing', startedAt: null },
      outcome: {
        status: 196,
        message: 'client backup was not attempted because backup window closed',
      },
    });
  });

  it('lets run what runs', () => {
    expect(after(runs, [closed, later(99_000)])).toBe(runs);
  });

  it('sees no retry that would begin behind it: the job keeps its own status', () => {
    const late = after(runs, [its.silent('media'), later(6_000)]);
    expect(late).toMatchObject({ step: 'weighing', attempts: [{ status: 82 }] });
    const early = after(runs, its.silent('media'), its.letGo);
    expect(early.step).toBe('retrying');
    const drained = after(early, [its.drained(), later(10_000)]);
    expect(drained).toMatchObject({ step: 'weighing', attempt: 1 });
    const waits = after(early, [its.drained(), later(5_000)]);
    expect(waits).toMatchObject({ step: 'allocating', attempt: 2 });
    expect(after(waits, [closed, later(10_000)]).step).toBe('weighing');
  });

  it('does not count for whoever resumes a job by hand', () => {
    const resumed = after(runs, suspend, its.letGo, resume, [its.drained(), later(99_000)]);
    expect(resumed).toMatchObject({ step: 'allocating', attempt: 2 });
    expect(wakeAt(resumed)).toBeNull();
  });
});
