import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { jobProgress, jobState, backupRequest } from '#contracts/job.js';
import { after, BACKOFF, later, NOW, parent } from '../testing/sample-jobs.js';
import { outOfTries } from './attempts/out-of-tries.js';
import { decide } from './decide.js';
import { backupDrafts, bornOf, draftAgain } from './draft.js';
import { NO_PROGRESS } from './job.js';
import type { Child } from './input.js';
import { revive } from './saved-job.js';
import { stateOf, viewOf } from './view.js';

function child(job: number, state: Child['state'], more: Partial<Child> = {}): Child {
  const status = state === 'done' ? 0 : null;
  return {
    job,
    state,
    status,
    hasStarted: state !== 'queued',
    outOfTries: null,
    progress: NO_PROGRESS,
    ...more,
  };
}

const together = (...children: Child[]) => after(parent, { type: 'children', children });
const ended = (...statuses: number[]) =>
  together(...statuses.map((status, index) => child(index + 8, 'done', { status }))).outcome;

describe('a parent job', () => {
  it('is a backup that waits for its children, each with its own selections', () => {
    expect(viewOf(parent, NOW)).toMatchObject({
      ...{ type: 'backup', state: 'queued', operation: 'parent job', waitReason: 'children' },
      ...{ children: 2, parent: null },
    });
    const request = { ...parent.request, retention: '4w', priority: 9 };
    const draft = backupDrafts(request, BACKOFF);
    expect(draft.job.type).toBe('parent');
    expect(bornOf(7, draft)).toMatchObject([
      {
        type: 'backup',
        parent: 7,
        run: { parent: 7, streams: 2 },
        stream: 1,
        priority: 9,
        request: { selections: ['/a'], retention: '4w' },
      },
      { type: 'backup', stream: 2, priority: 9, request: { selections: ['/b'], retention: '4w' } },
    ]);
  });

  it('is none for a single stream', () => {
    const one = backupRequest.parse({ client: 'web1', selections: ['/'], streams: [['/a']] });
    const { job, children } = backupDrafts(one, BACKOFF);
    expect(job).toMatchObject({ type: 'backup', request: { selections: ['/a'] } });
    expect(children).toEqual([]);
  });

  it('is active with the first child, and adds up how far they are', () => {
    const progress = { ...NO_PROGRESS, files: 2, bytes: 10 };
    const job = together(child(8, 'active', { progress }), child(9, 'queued', { progress }));
    expect(job).toMatchObject({ startedAt: NOW, progress: { files: 4, bytes: 20 } });
    expect(stateOf(job)).toBe('active');
    expect(stateOf(together(child(8, 'done'), child(9, 'queued')))).toBe('active');
  });

  it('has no more bytes than a message can say, whatever its children come to', () => {
    const progress = { ...NO_PROGRESS, bytes: Number.MAX_SAFE_INTEGER };
    const job = together(child(8, 'active', { progress }), child(9, 'active', { progress }));
    expect(job.progress.bytes).toBe(Number.MAX_SAFE_INTEGER);
    expect(jobProgress.safeParse(viewOf(job, NOW).progress).success).toBe(true);
  });

  it('stands still when all that is open does', () => {
    const done = child(8, 'done');
    expect(stateOf(together(done, child(9, 'suspended')))).toBe('suspended');
    expect(stateOf(together(child(8, 'suspended'), child(9, 'incomplete')))).toBe('incomplete');
    expect(stateOf(together(done, child(9, 'waiting-for-retry')))).toBe('waiting-for-retry');
  });

  it('is out of tries when its incomplete children are, since the last of them failed', () => {
    const failed = (ms: number) => ({ failedAt: later(ms), status: 82 });
    const first = child(8, 'incomplete', { outOfTries: failed(5) });
    const job = together(first, child(9, 'incomplete', { outOfTries: failed(9) }));
    expect(outOfTries(job)).toEqual(failed(9));
    expect(outOfTries(together(first, child(9, 'active')))).toBeNull();
    // One that was suspended for too long, and nothing else.
    expect(outOfTries(together(child(8, 'incomplete'), child(9, 'done')))).toBeNull();
    expect(outOfTries(revive(JSON.parse(JSON.stringify(job)), 7))).toEqual(failed(9));
    const rule = { type: 'continue', failedAt: later(9), closesAt: null } as const;
    expect(decide(job, rule, NOW)).toMatchObject({ job, effects: [{ type: 'log' }] });
    expect(decide(job, { ...rule, failedAt: later(8) }, NOW).effects).toEqual([]);
  });

  it('ends with the last of them: 0, 1 for a part, the highest if all have failed', () => {
    expect(ended(0, 0)).toEqual({ status: 0, message: '' });
    expect(ended(0, 1)).toMatchObject({ status: 1 });
    expect(ended(0, 41)).toEqual({ status: 1, message: 'Children that failed: 9 (41)' });
    expect(ended(71, 41)).toMatchObject({ status: 71 });
    expect(ended(196, 196)).toMatchObject({ status: 196 });
    expect(viewOf(together(child(8, 'done'), child(9, 'done')), NOW)).toMatchObject({
      ...{ state: 'done', status: 0, endedAt: NOW.toISOString() },
    });
  });

  it('that was cancelled ends with 150, unless all went well before', () => {
    const cancelled = after(parent, { type: 'cancel' });
    const end = (...statuses: number[]) =>
      after(cancelled, {
        type: 'children',
        children: statuses.map((status, index) => child(index + 8, 'done', { status })),
      }).outcome?.status;
    expect([end(0, 150), end(150, 150), end(0, 0)]).toEqual([150, 150, 0]);
  });

  it('never ends before all its children are known to have ended', () => {
    const states = fc.array(fc.constantFrom(...jobState.options), { maxLength: 4 });
    fc.assert(
      fc.property(states, (all) => {
        const job = together(...all.map((state, index) => child(index + 8, state)));
        const isOver = all.length >= 2 && all.every((state) => state === 'done');
        expect(job.step === 'done').toBe(isOver);
      }),
    );
  });

  it('changes nothing when nothing has changed', () => {
    const children = [child(8, 'active'), child(9, 'queued')];
    const job = together(...children);
    expect(after(job, [{ type: 'children', children }, later(5)])).toBe(job);
  });

  it('is run again with all its streams, whatever its start window was', () => {
    const closesAt = later(1).toISOString();
    const old = { ...parent, request: { ...parent.request, closesAt, origin: 'user' as const } };
    const { job, children } = draftAgain(old, BACKOFF);
    expect(job).toMatchObject({ type: 'parent', request: { origin: 'immediate' } });
    expect(children).toHaveLength(2);
    expect(JSON.stringify(children)).not.toContain('closesAt');
  });
});
